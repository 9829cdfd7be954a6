"""Checks of arguments: each says what came, what is expected, and what to do."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from taut.errors import ArgumentError


def is_positive(value: Any) -> bool:
    """Return whether a value is a positive integer, of Python's or NumPy's; a bool is none."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= 1)


def as_positive(name: str, value: Any) -> int:
    """Take a positive integer."""
    if is_positive(value):
        return int(value)
    number = isinstance(value, float | np.floating) and value >= 1 and value == np.floor(value)
    whole = f" Write {name.partition(',')[0]}={int(value)}." if number and value < 1e18 else ""
    raise ArgumentError(f"{name} must be a positive integer, got {value!r}.{whole}")


def as_count(name: str, value: Any) -> int:
    """Take a positive integer, or 0."""
    none = isinstance(value, int | np.integer) and not isinstance(value, bool) and value == 0
    return 0 if none else as_positive(name, value)


def as_number(name: str, value: Any, *, zero: bool = False) -> float:
    """Take a finite number > 0, or >= 0."""
    if is_number(value) and np.isfinite(value) and (value > 0 or (zero and value == 0)):
        return float(value)
    bound = ">= 0" if zero else "> 0"
    raise ArgumentError(f"{name} must be a finite number {bound}, got {value!r}.")


def as_seconds(name: str, value: Any) -> float:
    """Take a positive number of seconds; `None` is for ever."""
    if value is None:
        return float("inf")
    if is_number(value) and value > 0:
        return float(value)
    raise ArgumentError(f"{name} must be a number of seconds > 0, got {value!r}.")


def is_number(value: Any) -> bool:
    """Return whether a value is a real number, of Python's or NumPy's; a bool is none."""
    numbers = int | float | np.integer | np.floating
    return isinstance(value, numbers) and not isinstance(value, bool)


def as_flag(name: str, value: Any) -> bool:
    """Take a boolean."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise ArgumentError(f"{name} must be True or False, got {value!r}.")


def check_mapping(name: str, value: Any, example: str) -> None:
    """Refuse what is no mapping; `None` is none given."""
    if value is not None and not isinstance(value, Mapping):
        raise ArgumentError(
            f"{name} must be a dict, such as {example}, got {value!r} ({type(value).__name__})."
        )
