"""Scales on which variables are judged."""

from collections.abc import Callable, Mapping

import numpy as np


def _circle(angle: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _diagonals(angle: np.ndarray) -> np.ndarray:
    return _circle(angle - np.pi / 4)


SCALES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda values: values,
    # For positive variables without moments, or with ones that no sample shows.
    "log": np.log,
    # Its like for variables of either sign.
    "arcsinh": np.arcsinh,
    # An angle has no mean: its cosine and sine have.
    "circle": _circle,
    # Near the seam the cosine of an angle is at its end, and hardly anything but rare draws moves
    # it: its kurtosis is 70 to 95. On the diagonals of the plane none is at an end.
    "diagonals": _diagonals,
}
