"""Batches of rows that are larger than memory: several of them to one transfer."""

from collections.abc import Mapping
from functools import partial
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from taut.arrays import AnyArray
from taut.batches.base import AbstractBatches, AbstractFeed
from taut.batches.scaled_batch import Share
from taut.rows import AbstractRows, Column, Packed, Partition, row_bytes

# Of one transfer: as many batches as make up these bytes, but not more than so many.
_BYTES, _BATCHES = 16 * 2**20, 64


class PackedRows(AbstractBatches):
    """A few batches one after another, for as many steps.

    Parameters
    ----------
    arrays
        The rows of all these batches, each of which has `width` of them.
    is_short
        For each batch whether its last row is no part of it.
    first
        The step of the first batch.
    scale
        Batches of an epoch.
    width
        Rows of a batch.
    """

    arrays: tuple[AnyArray, ...]
    is_short: Bool[AnyArray, " batches"]
    first: Int[AnyArray, ""]
    scale: Float[AnyArray, ""]
    width: int = eqx.field(static=True)

    def draw(self, key: PRNGKeyArray, step: Int[Array, ""] | int = 0) -> PyTree:
        index = jnp.asarray(step - self.first, jnp.int32)
        start, width = index * self.width, self.width
        share = Share(
            tuple(jax.lax.dynamic_slice_in_dim(array, start, width) for array in self.arrays),
            jnp.asarray(self.is_short)[index],
            self.scale,
        )
        return (share,)


@final
class Stream(AbstractFeed):
    """Reads ahead on the host, and brings the next batches to the device when they are due.

    Parameters
    ----------
    source
        The rows.
    dtypes
        For each array, in the order the target wants them, the type it wants.
    partition
        How an epoch is cut.
    shuffle
        Whether rows change their order.
    random_seed
        Of all orders.
    dtype
        Of the scale.
    """

    def __init__(
        self,
        source: AbstractRows,
        dtypes: Mapping[str, np.dtype],
        partition: Partition,
        *,
        shuffle: bool,
        random_seed: int,
        dtype: str,
    ) -> None:
        self._names, self._partition = tuple(dtypes), partition
        count = _batches_of_a_transfer(source, dtypes, partition.width)
        self._scale = np.asarray(partition.batches, dtype)
        self._packed = partial(
            Packed, source, partition, dtypes, batches=count, shuffle=shuffle, seed=random_seed
        )
        self._blocks = self._packed()
        # Blocks follow one another: the first is for the first step that is asked for.
        self._next: int | None = None
        self._batches: PackedRows

    def at(self, step: int) -> tuple[AbstractBatches, int]:
        if self._next is None or step >= self._next:
            block = next(self._blocks)
            self._batches = PackedRows(
                tuple(jax.device_put(block.arrays[name]) for name in self._names),
                block.is_short,
                np.asarray(step, np.int32),
                self._scale,
                self._partition.width,
            )
            # Fewer than it holds where the source has failed after these.
            self._next = step + block.ready
        return self._batches, self._next - step

    def skip(self, batches: int) -> None:
        if batches:
            self._blocks.close()
            self._blocks = self._packed(skipped=batches)

    def close(self) -> None:
        self._blocks.close()


def _batches_of_a_transfer(source: AbstractRows, dtypes: Mapping[str, np.dtype], width: int) -> int:
    """Choose how many batches go to the device at once."""
    columns = {name: Column(source.columns[name].shape, dtype) for name, dtype in dtypes.items()}
    return max(1, min(_BATCHES, _BYTES // (width * row_bytes(columns))))
