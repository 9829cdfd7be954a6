"""Checks of arguments that many methods take."""

from typing import Any

import numpy as np

from taut.errors import ArgumentError
from taut.progress import AbstractProgress, RichProgress, SilentProgress


def as_positive(name: str, value: Any) -> int:
    """Take a positive integer."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ArgumentError(f"{name} must be a positive integer, got {value!r}.")
    return int(value)


def as_seconds(name: str, value: Any) -> float:
    """Take a positive number of seconds; `None` is for ever."""
    if value is None:
        return float("inf")
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not value > 0:
        raise ArgumentError(f"{name} must be a number of seconds > 0, got {value!r}.")
    return float(value)


def as_progress(shown: bool, theme: Any) -> AbstractProgress:
    """Make a bar, or none."""
    return RichProgress(theme) if shown else SilentProgress()
