"""Latents that are not normal, integrated out by points from the Gaussian nearest to them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import jax
import numpy as np
import scipy
from jaxtyping import Array, Float

from taut.elimination import AbstractElimination
from taut.marginal.averaged import Conditional, Points, nearest, points_of
from taut.marginal.integrand import Given, Integrand, Vector
from taut.marginal.points import AbstractPoints, Estimate, variances_of

# Draws over which Hessians are averaged, and how often: for a fit, near one, and for a first look.
_AVERAGED, _ROUNDS, _MORE_ROUNDS, _FEW_ROUNDS = 8, 8, 1, 3
# Points that are computed by one call of a program.
_TOGETHER = 64
# Variance of log ratios up to which points are of use, and for each latent, in nats.
_UNEVEN, _UNEVEN_EACH = 6.0, 0.05
# Variance of log ratios up to which points can be weighed; above, their cumulants are taken.
_EVEN = 2.0
# Points of one integral for each unit of the variance of log ratios, and calls at most.
_EACH, _FEWEST, _MOST = 32, 1, 32
# Noise, in standard deviations, that moments of latents may have; calls for these.
_PRECISE, _SOME, _MOST_SHAPING = 0.018, 8, 4096
# By how much more noise than that is left as it is, squared.
_SPARE = 1.2
# How many times as uneven points are where a Gaussian that is near by was no good begin.
_UNLIKE = 2.0

Latents = Float[np.ndarray, " latents"]
Draws = Float[np.ndarray, "draws latents"]
Ratios = Float[np.ndarray, " points"]


@final
@dataclass(frozen=True)
class Shape:
    """What latents have that their nearest Gaussian has not.

    Parameters
    ----------
    shift, square
        By how much their means and mean squares are above the Gaussian's.
    shift_noise, square_noise
        Standard errors.
    variances
        Of the Gaussian.
    """

    shift: Latents
    square: Latents
    shift_noise: Latents
    square_noise: Latents
    variances: Latents


@dataclass(eq=False)
class _Sums:
    """Sums over parts of the points, of what they tell and of its squares."""

    shift: Latents
    shift_squared: Latents
    square: Latents
    square_squared: Latents
    count: int = 0

    @classmethod
    def empty(cls, latents: int) -> "_Sums":
        shift, shift_squared, square, square_squared = np.zeros((4, latents))
        return cls(shift, shift_squared, square, square_squared)

    def add(self, points: Points) -> None:
        """Add a part."""
        shift, square = _double(points.shift), _double(points.square)
        self.shift += shift
        self.shift_squared += shift**2
        self.square += square
        self.square_squared += square**2
        self.count += 1

    def noise(self, variances: Latents) -> float:
        """Return the largest standard error of a mean, in sd, and of a logarithm of a sd."""
        found = self.shape(variances)
        of_means = found.shift_noise / np.sqrt(variances)
        return float(max(of_means.max(), (0.5 * found.square_noise / variances).max()))

    def shape(self, variances: Latents) -> Shape:
        """Return the averages, with standard errors."""
        shift, square = self.shift / self.count, self.square / self.count
        of_shift = np.maximum(self.shift_squared / self.count - shift**2, 0.0)
        of_square = np.maximum(self.square_squared / self.count - square**2, 0.0)
        noise = (np.sqrt(one / self.count) for one in (of_shift, of_square))
        return Shape(shift, square, *noise, variances=variances)


@final
class ImportancePoints(AbstractPoints):
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
        self._calls, self._shaping, self._variance = _FEWEST, _FEWEST, 0.0
        self._is_even = True
        self._shape: Shape | None = None

    @property
    def most_uneven(self) -> float:
        return max(_UNEVEN, _UNEVEN_EACH * self._integrand.field.size)

    def nearest(self, theta: Vector, mode: Latents) -> Given:
        found = self._nearest(theta, mode, np.zeros_like(self._fixed), _ROUNDS)
        self._variance = variance = _variance(self._ratios(theta, found))
        self._calls = int(np.clip(np.ceil(_EACH * variance / _TOGETHER), _FEWEST, _MOST))
        self._is_even = variance < _EVEN
        # What one point says of a mean has this standard deviation, by terms of both orders if any.
        spread = np.sqrt(np.expm1(variance)) if self._is_even else variance**0.5 + 0.6 * variance
        needed = np.ceil((spread / _PRECISE) ** 2 / _TOGETHER)
        self._shaping, self._shape = int(np.clip(needed, _SOME, _MOST_SHAPING)), None
        return Given(_double(found.mean), self._variances(found), found.precision)

    def refine(self) -> bool:
        """Return that there are as many as are needed."""
        return False

    def variance(self, theta: Vector, mode: Latents) -> float:
        found = self._nearest(theta, mode, np.zeros_like(self._fixed), _FEW_ROUNDS)
        return _variance(self._ratios(theta, found))

    def near(self, given: Given) -> Callable[[Vector, Latents], Estimate]:
        away = self._integrand.run(_colored, given.precision, self._fixed)

        def integral(theta: Vector, mean: Latents) -> Estimate:
            found = self._nearest(theta, mean, away, _MORE_ROUNDS)
            ratios = self._ratios(theta, found)
            if self._is_unlike(ratios):
                found = self._nearest(theta, mean, np.zeros_like(self._fixed), _ROUNDS)
                ratios = self._ratios(theta, found)
            return Estimate(*self._integral(ratios), _double(found.mean))

        return integral

    @property
    def has_shape(self) -> bool:
        """Whether it is known what latents have that their nearest Gaussians have not."""
        return self._shape is not None

    def shape(
        self,
        given: Given,
        theta: list[Vector],
        means: list[Latents],
        check_time: Callable[[], None],
    ) -> Shape:
        """Find what latents have that their nearest Gaussians have not, on average over points.

        This is found once for each `nearest`.

        Parameters
        ----------
        given
            A Gaussian that is near by.
        theta, means
            Global unknowns, and the expected means of the latents there.
        check_time
            Is called again and again, and ends this by an exception.
        """
        if self._shape is None:
            self._shape = self._shape_at(given, theta, means, check_time)
        return self._shape

    def _shape_at(
        self,
        given: Given,
        theta: list[Vector],
        means: list[Latents],
        check_time: Callable[[], None],
    ) -> Shape:
        """Take as many points as are foreseen, and then as many as the noise of these asks for."""
        away = self._integrand.run(_colored, given.precision, self._fixed)
        near = [
            self._nearest(one, mean, away, _MORE_ROUNDS)
            for one, mean in zip(theta, means, strict=True)
        ]
        levels = [self._integral(self._ratios(*both))[0] for both in zip(theta, near, strict=True)]
        variances = np.mean([self._variances(one) for one in near], axis=0)
        found, needed = _Sums.empty(len(variances)), self._shaping
        while found.count < needed:
            for one in zip(theta, near, levels, strict=True):
                check_time()
                found.add(self._points(*one))
            if found.count >= needed:
                more = found.count * (found.noise(variances) / _PRECISE) ** 2
                needed = int(min(more / _SPARE, _MOST_SHAPING))
        return found.shape(variances)

    def _nearest(self, theta: Vector, mean: Latents, away: Any, rounds: int) -> Conditional:
        begin = *self._cast(theta, mean), away, self._fixed, np.int32(rounds)
        return self._integrand.run(nearest, self._integrand.field, *begin)

    def _points(self, theta: Vector, conditional: Conditional, level: float = 0.0) -> Points:
        at, [of_all] = self._cast(theta, np.array([level]))
        parts = at, conditional, self._noise(_TOGETHER), of_all, np.bool_(self._is_even)
        return self._integrand.run(points_of, self._integrand.field, *parts)

    def _ratios(self, theta: Vector, conditional: Conditional) -> Ratios:
        each = [self._points(theta, conditional).log_ratios for _ in range(self._calls)]
        return np.concatenate([_double(one) for one in each])

    def _integral(self, log_ratios: Ratios) -> tuple[float, float]:
        """Estimate the logarithm of an integral, and what the next term would add, if any.

        Where points are much less even than at the mode no series can be trusted; their weights
        then tell less than there is.
        """
        if self._is_even or self._is_unlike(log_ratios):
            return float(scipy.special.logsumexp(log_ratios) - np.log(len(log_ratios))), 0.0
        third = ((log_ratios - log_ratios.mean()) ** 3).mean() / 6.0
        return float(log_ratios.mean() + 0.5 * log_ratios.var(ddof=1)), float(third)

    def _is_unlike(self, log_ratios: Ratios) -> bool:
        return _variance(log_ratios) >= _UNLIKE * (1.0 + self._variance)

    def _variances(self, conditional: Conditional) -> Latents:
        return _double(self._integrand.run(variances_of, conditional.precision))

    def _cast(self, *vectors: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(one.astype(self._dtype) for one in vectors)

    @property
    def _dtype(self) -> np.dtype:
        return np.dtype(self._integrand.target.dtype)

    def _noise(self, draws: int) -> Draws:
        half = self._random.normal(size=(draws // 2, self._integrand.field.size))
        return np.concatenate([half, -half]).astype(self._dtype)


def _variance(log_ratios: Ratios) -> float:
    """Return the variance of logarithms of weights; infinite where some are not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.nan_to_num(log_ratios.var(), nan=np.inf))


def _colored(precision: AbstractElimination, noise: Array) -> Array:
    return jax.lax.map(precision.color, noise)


def _double(values: Array) -> Latents:
    return np.asarray(values, float)
