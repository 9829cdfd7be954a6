"""Paths to a mode as one program, for one of many posteriors that are mapped over."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Scalar

Vector = Float[Array, " dim"]
Square = Float[Array, "dim dim"]
Density = Callable[[Vector], tuple[Scalar, Vector]]

# Evaluations of a path: with curvature learnt on the way, a dozen dimensions take about as many.
_EVALUATIONS = 80
# Enough of the increase that the slope foretells, how much shorter a step is that has not that, and
# the curvature from which on it is learnt from.
_ENOUGH, _SHORTER, _CURVED = 1e-4, 0.3, 1e-10
# Differences of gradients are taken over this share of the scale of each element, whose curvature
# lies between these, as a share of what the path has learnt.
_SHARE, _FLATTEST, _SHARPEST = 1e-2, 1e-4, 1e4


class _Path(NamedTuple):
    at: Vector
    value: Scalar
    slope: Vector
    inverse: Square
    length: Scalar
    learnt: Bool[Array, ""]


class Peak(NamedTuple):
    """Where a path came to.

    Parameters
    ----------
    at
        The place.
    value
        The log density there.
    inverse
        What the path has learnt of the inverse of the curvature.
    """

    at: Vector
    value: Scalar
    inverse: Square


def climb(density: Density, start: Vector) -> Peak:
    """Follow a quasi-Newton path uphill (BFGS), one evaluation a step.

    A step that does not lead up far enough is taken again, shorter.

    Parameters
    ----------
    density
        The log density and its gradient.
    start
        Where it begins.

    References
    ----------
    Nocedal, Wright (2006), Numerical Optimization, chapter 6.
    """
    value, slope = _usable(*density(start))
    unit = 1.0 / jnp.maximum(jnp.linalg.norm(slope), 1.0)
    begin = _Path(
        start, value, slope, jnp.eye(len(start), dtype=start.dtype), unit, jnp.array(False)
    )
    end = jax.lax.fori_loop(0, _EVALUATIONS, lambda _, path: _step(density, path), begin)
    return Peak(end.at, end.value, end.inverse)


def _step(density: Density, path: _Path) -> _Path:
    direction = path.inverse @ path.slope
    move = path.length * direction
    value, slope = _usable(*density(path.at + move))
    good = value >= path.value + _ENOUGH * path.length * (direction @ path.slope)
    change = path.slope - slope
    curved = move @ change > _CURVED * jnp.linalg.norm(move) * jnp.linalg.norm(change)
    learns = good & curved
    inverse = jnp.where(learns, _updated(path, move, change), path.inverse)
    new = _Path(
        path.at + move, value, slope, inverse,
        jnp.where(learns | path.learnt, jnp.minimum(2.0 * path.length, 1.0), 2.0 * path.length),
        path.learnt | learns,
    )  # fmt: skip
    # The first curvature sets the scale, and steps are whole from there.
    new = new._replace(length=jnp.where(learns & ~path.learnt, 1.0, new.length))
    shorter = path._replace(length=_SHORTER * path.length)
    return jax.tree.map(lambda a, b: jnp.where(good, a, b), new, shorter)


def _updated(path: _Path, move: Vector, change: Vector) -> Square:
    """Update the inverse curvature; before the first update it is a multiple of the identity."""
    product = jnp.maximum(move @ change, 1e-300)
    scale = product / jnp.maximum(change @ change, 1e-300)
    eye = jnp.eye(len(move), dtype=move.dtype)
    before = jnp.where(path.learnt, path.inverse, scale * eye)
    left = eye - jnp.outer(move, change) / product
    return left @ before @ left.T + jnp.outer(move, move) / product


def root_at(density: Density, peak: Peak) -> Square:
    """Return a triangular root of the covariance of the Gaussian with the curvature at a peak.

    By differences of gradients; where it does not fall off, as far as the path has learnt.
    """
    scale = jnp.sqrt(jnp.maximum(jnp.diagonal(peak.inverse), 1e-300))
    steps = _SHARE * jnp.diag(scale)
    ahead, behind = (jax.vmap(density)(peak.at + sign * steps)[1] for sign in (1.0, -1.0))
    # In units of the scale, in which it would be the identity.
    rows = (behind - ahead) / (2.0 * _SHARE) * scale
    curvature = jnp.where(jnp.isfinite(rows), 0.5 * (rows + rows.T), 0.0)
    values, vectors = jnp.linalg.eigh(curvature)
    values = jnp.where(values > _FLATTEST, jnp.minimum(values, _SHARPEST), 1.0)
    return jnp.linalg.cholesky((vectors / values) @ vectors.T) * scale[:, None]


def _usable(value: Scalar, slope: Vector) -> tuple[Scalar, Vector]:
    """Let what is no number be lower than all."""
    is_finite = jnp.isfinite(value) & jnp.isfinite(slope).all()
    return jnp.where(is_finite, value, -jnp.inf), jnp.where(is_finite, slope, 0.0)
