"""Latents that are not normal, integrated out by importance points from the nearest Gaussian."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from taut.elimination import AbstractElimination
from taut.marginal.averaged import Conditional, nearest, sampled
from taut.marginal.field import AbstractField, Globals
from taut.marginal.integrand import Given, Integrand, Vector

# Draws over which Hessians are averaged, and how often: for a fit, near one, and for a first look.
_AVERAGED, _ROUNDS, _MORE_ROUNDS, _FEW_ROUNDS = 8, 8, 1, 3
# Points for one integral.
_POINTS = 16

Latents = Float[np.ndarray, " latents"]
Draws = Float[np.ndarray, "draws latents"]


@final
@dataclass(frozen=True)
class Estimate:
    """A marginal log density at a point, and the latents there.

    Parameters
    ----------
    value
        In nats.
    mean, variances
        Of the latents.
    """

    value: float
    mean: Latents
    variances: Latents


@final
class ImportancePoints:
    """Integrals over latents by points from the Gaussian that is nearest to them.

    Parameters
    ----------
    integrand
        The density of latents and globals.
    random
        Draws the points.
    """

    def __init__(self, integrand: Integrand, random: np.random.Generator) -> None:
        self._integrand, self._random = integrand, random
        self._fixed = self._noise(_AVERAGED)

    def nearest(self, theta: Vector, mode: Latents) -> Given:
        """Find the Gaussian that is nearest to the latents.

        Parameters
        ----------
        theta
            The global unknowns.
        mode
            The latents' mode there.
        """
        begin = *self._cast(theta, mode), np.zeros_like(self._fixed)
        rounds = self._fixed, np.int32(_ROUNDS)
        run, field = self._integrand.run, self._integrand.field
        found, variances = run(_nearest_and_variances, field, *begin, *rounds)
        return Given(_double(found.mean), _double(variances), found.precision)

    def spread(self, theta: Vector, mode: Latents) -> float:
        """Look how uneven weights of points are: the standard deviation of their logarithms.

        Parameters
        ----------
        theta
            The global unknowns.
        mode
            The latents' mode there.
        """
        begin = *self._cast(theta, mode), np.zeros_like(self._fixed)
        rounds = self._fixed, np.int32(_FEW_ROUNDS), self._noise(_POINTS)
        found = self._integrand.run(sampled, self._integrand.field, *begin, *rounds)
        return float(found.spread)

    def near(self, given: Given) -> Callable[[Vector, Latents], Estimate]:
        """Return a function that integrates near where the nearest Gaussian is known.

        It takes the global unknowns and an expected mean of the latents there.
        """
        run, field = self._integrand.run, self._integrand.field
        away = run(_colored, given.precision, self._fixed)

        def integral(theta: Vector, mean: Latents) -> Estimate:
            noise = self._noise(_POINTS)
            begin = *self._cast(theta, mean), away
            rounds = self._fixed, np.int32(_MORE_ROUNDS)
            found = run(sampled, field, *begin, *rounds, noise)
            # What the points' squares are under the Gaussian that is known takes noise out.
            plain = (np.asarray(run(_colored, given.precision, noise), float) ** 2).mean(axis=0)
            variances = given.variances + _double(found.square) - plain
            return Estimate(float(found.value), _double(found.mean), variances)

        return integral

    @property
    def _dtype(self) -> np.dtype:
        return np.dtype(self._integrand.target.dtype)

    def _cast(self, *vectors: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(one.astype(self._dtype) for one in vectors)

    def _noise(self, draws: int) -> Draws:
        half = self._random.normal(size=(draws // 2, self._integrand.field.size))
        return np.concatenate([half, -half]).astype(self._dtype)


def _nearest_and_variances(
    field: AbstractField,
    theta: Globals,
    mean: Array,
    away: Array,
    fixed: Array,
    rounds: Int[Array, ""],
) -> tuple[Conditional, Array]:
    found = nearest(field, theta, mean, away, fixed, rounds)
    return found, found.precision.variances()


def _colored(precision: AbstractElimination, noise: Array) -> Array:
    return jax.lax.map(precision.color, noise)


def _double(values: Array) -> Latents:
    return np.asarray(values, float)
