"""Rows in a circle, spread over devices."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt32

from taut.arrays import AnyArray
from taut.batches.circle import place_of
from taut.batches.dealt_rows import deal
from taut.batches.scaled_batch import Share
from taut.engine import AXIS, Devices
from taut.rows import Partition


class SpreadCircle(eqx.Module):
    """Rows that devices have in turn, so that each has its part of any slice.

    Batches are those of a `taut.batches.circle.Circle` of the same order. A device has as many rows
    of a batch as any other, or one less.

    Parameters
    ----------
    arrays
        The rows that the first device has, then those of the second; after its last row each has
        the first ones again, so that no slice wraps around.
    words, scale, partition
        As of a `Circle`.
    devices
        The devices.
    """

    arrays: tuple[jax.Array, ...]
    words: UInt32[AnyArray, " 2"] | None
    scale: Float[AnyArray, ""]
    partition: Partition = eqx.field(static=True)
    devices: Devices = eqx.field(static=True)

    @classmethod
    def of(
        cls,
        arrays: Sequence[np.ndarray],
        order: Int[np.ndarray, " rows"],
        words: UInt32[AnyArray, " 2"] | None,
        scale: Float[AnyArray, ""],
        partition: Partition,
        devices: Devices,
    ) -> "SpreadCircle":
        """Deal rows out.

        Parameters
        ----------
        arrays
            All rows, on the host.
        order
            In which they come.
        words, scale, partition
            As of a `Circle`.
        devices
            The devices.
        """
        each = -(-(partition.rows - 1) // devices.count) + _width(partition, devices)
        return cls(deal(arrays, order, each, devices), words, scale, partition, devices)

    def share(self, step: Int[Array, ""] | int) -> Share:
        """Slice the batch of a step: on each device the rows that it has of it.

        Arrays are those of all devices, one after another, and ``is_short`` has an element for
        each of these.
        """
        start, size = place_of(step, self.partition, self.words)
        slice_ = self.devices.each(self._own, (False, False, True), True)
        arrays, is_short = slice_(start, size, self.arrays)
        return Share(arrays, is_short, self.scale)

    def _own(
        self, start: Int[Array, ""], size: Int[Array, ""], arrays: tuple[Array, ...]
    ) -> tuple[tuple[Array, ...], Bool[Array, " 1"]]:
        """Slice the rows of a batch that this device has."""
        device, count = jax.lax.axis_index(AXIS), self.devices.count
        # The first row that is this device's, from some row on, as it counts its own.
        first, end = (-((device - row) // count) for row in (start, start + size))
        width = _width(self.partition, self.devices)
        own = tuple(jax.lax.dynamic_slice_in_dim(array, first, width) for array in arrays)
        return own, jnp.reshape(end - first < width, 1)


def _width(partition: Partition, devices: Devices) -> int:
    """Compute how many rows of a batch a device has at most."""
    return -(-partition.width // devices.count)
