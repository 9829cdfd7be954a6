"""Epochs over rows in memory: every row once an epoch, in slices of a shuffled array."""

from typing import final

import jax
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from taut import seed
from taut.batches.base import AbstractBatches, AbstractFeed
from taut.batches.circle import Circle
from taut.batches.spread_circle import SpreadCircle
from taut.engine import Devices
from taut.rows import Partition

# An order of rows serves at least so many epochs, so that shuffling stays 2 % of the traffic, and
# so many steps, so that small data do not shuffle all the time.
_EPOCHS, _STEPS = 50, 10_000


class EpochRows(AbstractBatches):
    """One circle for each group of rows.

    Parameters
    ----------
    circles
        The circles, each with epochs of its own length.
    """

    circles: tuple[Circle | SpreadCircle, ...]

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
    devices
        Over which rows are spread; `None` for the one that JAX takes by default.
    """

    def __init__(
        self,
        groups: tuple[tuple[np.ndarray, ...], ...],
        partitions: tuple[Partition, ...],
        *,
        shuffle: bool,
        random_seed: int,
        dtype: str,
        devices: Devices | None = None,
    ) -> None:
        self._groups, self._partitions, self._shuffle = groups, partitions, shuffle
        self._seed, self._dtype, self._devices = random_seed, dtype, devices
        self._turn: tuple[int, ...] | None = None
        self._circles: list[Circle | SpreadCircle] = []
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

    def _circle(self, group: int, turn: int) -> Circle | SpreadCircle:
        partition, words = self._partitions[group], None
        order = np.arange(partition.rows)
        if self._shuffle:
            own = seed.key_words(self._seed, seed.ROWS, group, turn)
            order, words = np.random.default_rng(own).permutation(partition.rows), own
        arrays, scale = self._groups[group], np.asarray(partition.batches, self._dtype)
        if self._devices is not None:
            return SpreadCircle.of(arrays, order, words, scale, partition, self._devices)
        order = np.concatenate([order, order[: partition.width - 1]])
        placed = tuple(jax.device_put(array[order]) for array in arrays)
        return Circle(placed, words, scale, partition)


def _period(partition: Partition) -> int:
    """Return how many steps one order of rows serves: those of whole epochs."""
    epochs = max(_EPOCHS, -(-_STEPS // partition.batches))
    return epochs * partition.batches
