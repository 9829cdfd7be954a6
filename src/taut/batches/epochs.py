"""Epochs over rows in memory: every row once an epoch, in slices of a shuffled array."""

from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree, UInt32

from taut import seed
from taut.arrays import AnyArray
from taut.batches.base import AbstractBatches, AbstractFeed
from taut.batches.scaled_batch import Share
from taut.rows import Partition

# An order of rows serves at least so many epochs, so that shuffling stays 2 % of the traffic, and
# so many steps, so that small data do not shuffle all the time.
_EPOCHS, _STEPS = 50, 10_000


class Circle(eqx.Module):
    """Rows in a circle, cut into the batches of an epoch from a place that each epoch has anew.

    A batch is a contiguous slice, which moves fewer bytes than a gather of random rows, and every
    row is in one batch of an epoch.

    Parameters
    ----------
    arrays
        The rows, and after the last the first ones again, so that no slice wraps around.
    words
        Of the key that decides where epochs begin; `None` for always at the first row.
    scale
        Batches of an epoch.
    partition
        How an epoch is cut.
    """

    arrays: tuple[AnyArray, ...]
    words: UInt32[AnyArray, " 2"] | None
    scale: Float[AnyArray, ""]
    partition: Partition = eqx.field(static=True)

    def share(self, step: Int[Array, ""] | int) -> Share:
        """Slice the batch of a step."""
        step = jnp.asarray(step, jnp.int32)
        epoch, index = jnp.divmod(step, self.partition.batches)
        start = self._origin(epoch) + self.partition.start(index)
        start = jnp.where(start < self.partition.rows, start, start - self.partition.rows)
        width = self.partition.width
        return Share(
            tuple(jax.lax.dynamic_slice_in_dim(array, start, width) for array in self.arrays),
            self.partition.size(index) < width,
            self.scale,
        )

    def _origin(self, epoch: Int[Array, ""]) -> Int[Array, ""]:
        if self.words is None:
            return jnp.zeros((), jnp.int32)
        key = jax.random.fold_in(seed.key(jnp.asarray(self.words)), epoch)
        return jax.random.randint(key, (), 0, self.partition.rows, jnp.int32)


class EpochRows(AbstractBatches):
    """One circle for each group of rows.

    Parameters
    ----------
    circles
        The circles, each with epochs of its own length.
    """

    circles: tuple[Circle, ...]

    def draw(self, key: PRNGKeyArray, step: Int[Array, ""] | int = 0) -> PyTree:
        return tuple(circle.share(step) for circle in self.circles)


@final
class EpochFeed(AbstractFeed):
    """Puts rows in memory into circles, and shuffles these anew now and then.

    Parameters
    ----------
    groups
        For each group its arrays on the host, equally long along their first axis.
    partitions
        For each group how an epoch is cut.
    shuffle
        Whether rows change their order; else they come in the one they have.
    random_seed
        Of all orders.
    dtype
        Of the scales.
    """

    def __init__(
        self,
        groups: tuple[tuple[np.ndarray, ...], ...],
        partitions: tuple[Partition, ...],
        *,
        shuffle: bool,
        random_seed: int,
        dtype: str,
    ) -> None:
        self._groups, self._partitions, self._shuffle = groups, partitions, shuffle
        self._seed, self._dtype = random_seed, dtype
        self._turn: tuple[int, ...] | None = None
        self._circles: list[Circle] = []
        self._batches: EpochRows

    def at(self, step: int) -> tuple[AbstractBatches, int]:
        periods = [_period(partition) for partition in self._partitions]
        turn = tuple(step // period for period in periods) if self._shuffle else (0,) * len(periods)
        if turn != self._turn:
            before = self._turn or (None,) * len(turn)
            self._circles = [
                self._circles[i] if turn[i] == before[i] else self._circle(i, turn[i])
                for i in range(len(turn))
            ]
            self._turn, self._batches = turn, EpochRows(tuple(self._circles))
        left = [period - step % period for period in periods]
        return self._batches, min(left) if self._shuffle else np.iinfo(np.int32).max

    def skip(self, batches: int) -> None:
        """There is nothing to pass over: the step says which batch it is."""

    def close(self) -> None:
        """There is nothing to let go of."""

    def _circle(self, group: int, turn: int) -> Circle:
        partition, words = self._partitions[group], None
        order = np.arange(partition.rows)
        if self._shuffle:
            own = seed.key_words(self._seed, seed.ROWS, group, turn)
            order, words = np.random.default_rng(own).permutation(partition.rows), own
        order = np.concatenate([order, order[: partition.width - 1]])
        return Circle(
            tuple(jax.device_put(array[order]) for array in self._groups[group]),
            words,
            np.asarray(partition.batches, self._dtype),
            partition,
        )


def _period(partition: Partition) -> int:
    """Return how many steps one order of rows serves: those of whole epochs."""
    epochs = max(_EPOCHS, -(-_STEPS // partition.batches))
    return epochs * partition.batches
