"""Rows that devices have in turn, as cards are dealt."""

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Float, Int

from taut.arrays import AnyArray
from taut.batches.scaled_batch import Share
from taut.engine import Devices


def deal(
    arrays: Sequence[np.ndarray],
    order: Int[np.ndarray, " rows"],
    each: int,
    devices: Devices,
    blocks: int | None = None,
) -> tuple[jax.Array, ...]:
    """Put rows on devices: the first on the first, the second on the second, and so on.

    Parameters
    ----------
    arrays
        All rows, on the host.
    order
        In which they come; after the last comes the first one again.
    each
        How many rows each block has.
    devices
        The devices.
    blocks
        Among which rows are dealt, as many of them on each device as on any other, if not among
        devices.
    """
    blocks = devices.count if blocks is None else blocks
    places = np.arange(each * blocks) % len(order)
    dealt = order[places].reshape(each, blocks).T.ravel()
    return tuple(devices.place(array[dealt]) for array in arrays)


def all_dealt(
    arrays: Sequence[np.ndarray], scale: Float[AnyArray, ""], devices: Devices, blocks: int
) -> Share:
    """Put all rows on devices, as one batch of them, whose blocks are as batches of devices.

    Parameters
    ----------
    arrays
        The rows, on the host.
    scale
        By what their log likelihood is multiplied.
    devices
        The devices.
    blocks
        How many blocks there are, on all devices together.
    """
    rows, numbers = len(arrays[0]), np.arange(blocks)
    each, own = -(-rows // blocks), -((numbers - rows) // blocks)
    dealt = deal(arrays, np.arange(rows), each, devices, blocks)
    return Share(dealt, devices.place(own < each), scale)
