"""Hyper-parameters, checked and made leaves."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from taut.arguments import is_positive
from taut.engine import Same
from taut.errors import OptimizerError
from taut.optimizer.base import Leaf, Rate, Scalar

NUMBERS = (int, float, np.number, np.ndarray, jax.Array)


@dataclass(frozen=True)
class Domain:
    """The values a hyper-parameter may have, and how to say so."""

    wants: str
    example: str
    holds: Callable[[float], bool]


RATE = Domain(
    "a finite number > 0, or a schedule (step count -> rate)",
    "0.01",
    lambda x: 0 < x < math.inf,
)
FRACTION = Domain("a number in [0, 1)", "0.9", lambda x: 0 <= x < 1)
OFFSET = Domain("a finite number >= 0", "1e-8", lambda x: 0 <= x < math.inf)


def describe(value: Any) -> str:
    """Say what came, and its type, on one short line."""
    name = getattr(value, "__qualname__", None)
    text = f"{getattr(value, '__module__', '?')}.{name}" if name else " ".join(repr(value).split())
    short = text if len(text) <= 60 else f"{text[:57]}..."
    return f"{short} ({type(value).__name__})"


def is_number(value: Any) -> bool:
    """Say whether a value is one real number (a tracer of one is)."""
    if isinstance(value, bool) or not isinstance(value, NUMBERS):
        return False
    dtype = getattr(value, "dtype", np.dtype(float))
    real = jnp.issubdtype(dtype, np.integer) or jnp.issubdtype(dtype, np.floating)
    return real and np.shape(value) == ()


def refuse(name: str, value: Any, wants: str, example: str) -> OptimizerError:
    """Make the error for a hyper-parameter that makes no sense."""
    return OptimizerError(
        f"{name} must be {wants}, got {describe(value)}. Write for example {name}={example}."
    )


def number(name: str, value: Any, domain: Domain) -> Leaf:
    """Check one number and make it a leaf.

    The leaf is of numpy, not of jax: an array of jax made outside the scope in
    which 64 bit is on would be rounded to 32 bit there and then.
    """
    if not is_number(value):
        raise refuse(name, value, domain.wants, domain.example)
    if isinstance(value, Tracer):
        return value
    if not domain.holds(float(value)):
        raise refuse(name, value, domain.wants, domain.example)
    return np.asarray(value, dtype=np.float64)


def rate(value: Rate) -> Leaf | Same:
    """Check a learning rate: a leaf if it is a number, static if it is a schedule."""
    if callable(value) and not isinstance(value, type):
        return Same(value)
    return number("learning_rate", value, RATE)


def fraction(name: str, value: Scalar) -> Leaf:
    """Check a decay rate or a momentum, which lies in [0, 1)."""
    return number(name, value, FRACTION)


def offset(value: Scalar) -> Leaf:
    """Check an epsilon, which is >= 0."""
    return number("epsilon", value, OFFSET)


def count(name: str, value: Any) -> int:
    """Check a number of steps, which is static because it is the shape of a state."""
    if not is_positive(value):
        raise refuse(name, value, "an int > 0", "10")
    return int(value)
