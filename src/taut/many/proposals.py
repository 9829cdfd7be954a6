"""Proposals in the coordinates of chains, and the weights of their draws."""

import math
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from taut.chains import Coordinates, of_fixed_shape
from taut.diagnose import Resampled
from taut.target import Target

# Draws that are weighed, and at how many the density is evaluated together.
WEIGHED, _TOGETHER = 4096, 256
# Degrees of freedom of the draws: tails of a log scale are heavier than a Gaussian's.
_FREEDOM = 10.0


def weighed(
    target: Target, coordinates: Coordinates, random: np.random.Generator
) -> Resampled | None:
    """Draw by Student's t in coordinates in which a posterior is nearly standard, and weigh.

    Parameters
    ----------
    target
        The density.
    coordinates
        From where chains were.
    random
        Decides the draws.
    """
    dim = target.dim
    stretch = np.sqrt(_FREEDOM / random.chisquare(_FREEDOM, (WEIGHED, 1)))
    x = stretch * random.normal(size=(WEIGHED, dim))
    log_q = _log_prob(x)
    with target.precision():
        fixed = of_fixed_shape(coordinates, target)
        z, log_p = target.programs(at_proposals, target, fixed, x.astype(target.dtype))
    z, log_p = np.asarray(z, float), np.asarray(log_p, float)
    usable = np.isfinite(log_p) & np.isfinite(z).all(axis=1)
    return Resampled.of(np.where(usable[:, None], z, 0.0), np.where(usable, log_p - log_q, -np.inf))


def at_proposals(
    target: Target, coordinates: Coordinates, x: Float[Array, "draws dim"]
) -> tuple[Float[Array, "draws dim"], Float[Array, " draws"]]:
    """Push draws, and evaluate the density in these coordinates; a program for `Programs`."""

    def part(x: Any) -> tuple[Any, Any]:
        z: Any
        z, log_det = coordinates.push(x)
        return z, jax.vmap(target.log_density)(z) + log_det

    z, log_p = jax.lax.map(part, x.reshape(-1, _TOGETHER, x.shape[1]))
    return z.reshape(x.shape), log_p.reshape(-1)


def _log_prob(x: Float[np.ndarray, "draws dim"]) -> Float[np.ndarray, " draws"]:
    """Evaluate the density of Student's t, of all elements together."""
    dim, half = x.shape[1], 0.5 * (_FREEDOM + x.shape[1])
    constant = math.lgamma(half) - math.lgamma(0.5 * _FREEDOM)
    constant -= 0.5 * dim * np.log(_FREEDOM * np.pi)
    return constant - half * np.log1p((x**2).sum(axis=1) / _FREEDOM)
