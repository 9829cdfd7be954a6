"""Which level of a variable each term of a log density depends on, found by numbers."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from taut.structure.axis import Axis
from taut.target import Factors, Target

# What a factor depends on: no level, or more than one.
NONE, SEVERAL = -1, -2
# Derivatives under this share of the largest are rounding, and ratios are 0 or 1 up to the other.
_ROUNDING, _CLOSE = 1e-12, 1e-6

Vector = Float[np.ndarray, " dim"]
Slope = Callable[[Vector, Vector], Float[np.ndarray, " factors"]]


def slope_along(
    factors: Factors, z: Float[Array, " dim"], tangent: Float[Array, " dim"]
) -> Float[Array, " factors"]:
    """Differentiate all factors along one direction; a program for `Programs`."""
    return jax.jvp(factors, (z,), (tangent,))[1]


def slopes_of(target: Target, factors: Factors, timing: Any) -> Slope:
    """Return the derivatives of factors as a function on the host."""
    program = target.programs.bind(slope_along, factors, quick=True)

    def slope(z: Vector, tangent: Vector) -> Float[np.ndarray, " factors"]:
        parts = z.astype(target.dtype), tangent.astype(target.dtype)
        return np.asarray(program(*parts, timing=timing), float)

    return slope


def levels_seen(
    slope: Slope, z: Vector, axis: Axis, random: np.random.Generator
) -> Int[np.ndarray, " factors"]:
    r"""Find the one level along an axis that each factor depends on.

    With random weights w of all elements, :math:`J w` is not zero where a factor depends on the
    variable. With the weights of those levels alone whose number has bit b set, it is the same, or
    zero, where the factor depends on one level: :math:`\lceil \log_2 G \rceil` such products spell
    its number.

    Parameters
    ----------
    slope
        Differentiates the factors at a point along a direction.
    z
        The point.
    axis
        Of the variable.
    random
        Draws the weights.

    Returns
    -------
    Int[np.ndarray, "factors"]
        The level, `NONE` or `SEVERAL`.
    """
    places = axis.places
    weights = random.normal(size=places.shape)
    whole = slope(z, _tangent(len(z), places, weights))
    is_seen = np.abs(whole) > _ROUNDING * np.abs(whole).max(initial=0.0)
    found, is_one = np.zeros(len(whole), int), np.isfinite(whole)
    for bit in range((axis.levels - 1).bit_length()):
        has_bit = (np.arange(axis.levels) >> bit) & 1
        part = slope(z, _tangent(len(z), places, weights * has_bit[:, None]))
        ratio = part / np.where(is_seen, whole, 1.0)
        is_set, is_clear = np.abs(ratio - 1) < _CLOSE, np.abs(ratio) < _CLOSE
        is_one &= is_set | is_clear | ~is_seen
        found |= is_set.astype(int) << bit
    is_one &= found < axis.levels
    return np.where(is_seen, np.where(is_one, found, SEVERAL), np.where(is_one, NONE, SEVERAL))


def _tangent(dim: int, places: np.ndarray, weights: np.ndarray) -> Vector:
    tangent = np.zeros(dim)
    tangent[places] = weights
    return tangent
