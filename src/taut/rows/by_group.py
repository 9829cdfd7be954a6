"""Rows in memory, those of a group together."""

from collections.abc import Mapping

import numpy as np

from taut.rows.arrays import ArrayRows


def together(arrays: Mapping[str, np.ndarray], key: str, random: np.random.Generator) -> ArrayRows:
    """Bring the rows of each group together, and groups in a random order.

    Parameters
    ----------
    arrays
        The rows.
    key
        The array of keys.
    random
        Decides the order of groups.
    """
    _, number = np.unique(arrays[key], return_inverse=True)
    place = random.permutation(int(number.max()) + 1)
    order = np.argsort(place[number], kind="stable")
    return ArrayRows({name: array[order] for name, array in arrays.items()})
