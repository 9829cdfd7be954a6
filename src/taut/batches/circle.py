"""Rows in a circle, on one device."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt32

from taut import seed
from taut.arrays import AnyArray
from taut.batches.scaled_batch import Share
from taut.rows import Partition


def place_of(
    step: Int[Array, ""] | int, partition: Partition, words: UInt32[AnyArray, " 2"] | None
) -> tuple[Int[Array, ""], Int[Array, ""]]:
    """Find the first row of a step's batch in a circle, and how many rows it has.

    Parameters
    ----------
    step
        The step.
    partition
        How an epoch is cut.
    words
        Of the key that decides where epochs begin; `None` for always at the first row.
    """
    epoch, index = jnp.divmod(jnp.asarray(step, jnp.int32), partition.batches)
    start = _origin(epoch, partition, words) + partition.start(index)
    start = jnp.where(start < partition.rows, start, start - partition.rows)
    return start, partition.size(index)


def _origin(epoch: Int[Array, ""], partition: Partition, words: AnyArray | None) -> Array:
    if words is None:
        return jnp.zeros((), jnp.int32)
    key = jax.random.fold_in(seed.key(jnp.asarray(words)), epoch)
    return jax.random.randint(key, (), 0, partition.rows, jnp.int32)


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
        start, size = place_of(step, self.partition, self.words)
        width = self.partition.width
        return Share(
            tuple(jax.lax.dynamic_slice_in_dim(array, start, width) for array in self.arrays),
            size < width,
            self.scale,
        )
