"""Rows that devices have in turn, as cards are dealt."""

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Float, Int

from taut.arrays import AnyArray
from taut.batches.scaled_batch import Share
from taut.engine import Devices


def deal(
    arrays: Sequence[np.ndarray], order: Int[np.ndarray, " rows"], each: int, devices: Devices
) -> tuple[jax.Array, ...]:
    """Put rows on devices: the first on the first, the second on the second, and so on.

    Parameters
    ----------
    arrays
        All rows, on the host.
    order
        In which they come; after the last comes the first one again.
    each
        How many rows each device has.
    devices
        The devices.
    """
    places = np.arange(each * devices.count) % len(order)
    dealt = order[places].reshape(each, devices.count).T.ravel()
    return tuple(devices.place(array[dealt]) for array in arrays)


def all_dealt(
    arrays: Sequence[np.ndarray], scale: Float[AnyArray, ""], devices: Devices
) -> Share:
    """Put all rows on devices, as one batch of them.

    Parameters
    ----------
    arrays
        The rows, on the host.
    scale
        By what their log likelihood is multiplied.
    devices
        The devices.
    """
    rows, numbers = len(arrays[0]), np.arange(devices.count)
    each, own = -(-rows // devices.count), -((numbers - rows) // devices.count)
    return Share(
        deal(arrays, np.arange(rows), each, devices), devices.place(own < each), scale
    )
