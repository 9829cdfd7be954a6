"""Data sets that were drawn from a model, with the parameters each came from."""

from dataclasses import dataclass

import equinox as eqx
import numpy as np
from jaxtyping import Array

from taut.target.target import Target


@dataclass(frozen=True, eq=False)
class Simulations:
    """Many data sets of one model.

    Parameters
    ----------
    target
        The target with one of them.
    places
        Which of ``target.data`` differ between data sets.
    arrays
        What stands there, data sets along the first axis.
    truths
        The parameters they came from, in the unconstrained space, one a row.
    """

    target: Target
    places: tuple[int, ...]
    arrays: tuple[np.ndarray, ...]
    truths: np.ndarray


def with_data(target: Target, places: tuple[int, ...], arrays: tuple[Array, ...]) -> Target:
    """Return the target with other data in some places."""
    data = list(target.data)
    for place, array in zip(places, arrays, strict=True):
        data[place] = array
    return eqx.tree_at(lambda target: target.data, target, tuple(data))
