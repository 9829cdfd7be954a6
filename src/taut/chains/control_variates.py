"""What the gradients at draws of chains say of their mean and spread."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Float

from taut.chains.coordinates import Coordinates

Points = Float[np.ndarray, "points dim"]
Each = Float[np.ndarray, " dim"]

# How many times a variance may change.
_MOST = 4.0
# Standard errors from which on what holds in expectation is clearly violated.
_CLEARLY = 5.0
_TINY = 1e-300


@final
@dataclass(frozen=True)
class Correction:
    """Moves draws, so that their mean and spread are what gradients say.

    Parameters
    ----------
    coordinates
        In which they are moved.
    mean
        Of the draws, in these coordinates.
    true_mean
        Of the posterior, as draws and gradients say.
    scale
        By how much the draws spread too little.
    chain_means
        What the draws of each chain alone say of the posterior's mean.
    """

    coordinates: Coordinates
    mean: Each
    true_mean: Each
    scale: Each
    chain_means: Float[np.ndarray, "chains dim"]

    @property
    def standard_error(self) -> Each:
        """Of the mean of the draws once they are moved, from what chains say of it."""
        means = self.coordinates.push(self.chain_means)[0]
        return means.std(axis=0, ddof=1) / np.sqrt(len(means))

    @property
    def posterior_mean(self) -> Each:
        """Where the posterior's mean is, for all that is known: the centre where that is noise."""
        noise = self.chain_means.var(axis=0, ddof=1) / len(self.chain_means)
        square = self.true_mean**2
        sure = self.true_mean * square / np.maximum(square + noise, _TINY)
        return self.coordinates.push(sure[None])[0][0]

    def __call__(self, z: Points) -> Points:
        """Move draws of the unconstrained vector."""
        if (self.true_mean == self.mean).all() and (self.scale == 1.0).all():
            return z
        x = self.coordinates.whiten(z)
        return self.coordinates.push(self.true_mean + self.scale * (x - self.mean))[0]


@final
@dataclass(frozen=True)
class Moved:
    """What `Correction` made of the draws of one window, for one that is kept without coordinates.

    Parameters
    ----------
    draws
        Those draws, once they were moved.
    standard_error, posterior_mean
        As in `Correction`.
    """

    draws: Points
    standard_error: Each
    posterior_mean: Each

    def __call__(self, z: Points) -> Points:
        """Return the moved draws, of those that they were made of."""
        assert z.shape == self.draws.shape
        return self.draws


@final
@dataclass(frozen=True)
class Said:
    """What draws and gradients say of mean and spread, whether or not it is to be believed.

    Parameters
    ----------
    correction
        What gradients say where they can be believed, and else one that moves nothing.
    holds
        Whether they can: whether what holds of every density without jumps holds of the draws.
    moves
        How far they would move a mean, in standard deviations, or a log standard deviation: the
        larger, of each element of the coordinates.
    """

    correction: Correction | Moved
    holds: bool
    moves: Each


class Tally:
    r"""Sums over draws x of a density p and over its gradients s, each element for itself.

    Whatever the density, if it has no jumps, the expectation of :math:`s_i` is 0 and that of
    :math:`x_i s_i` is -1. What the draws have instead is noise, which tells that of their means and
    squares:

    .. math::
        \bar x_i + a_i \bar s_i, \quad
        \overline{x_i^2} + b_i (\overline{x_i s_i} + 1)

    with the coefficients of least squares. For a Gaussian both are exact, whatever the draws.
    Where a density jumps, has steps, or its support an edge, and where chains have not settled, the
    expectations are others. The chains' own tell: a deviation of many standard errors between
    chains, in these expectations or of what they would move, is no noise.

    Parameters
    ----------
    chains, dim
        How many chains, and elements.

    References
    ----------
    Assaraf, Caffarel (1999), Zero-variance principle for Monte Carlo algorithms. Mira, Solgi,
    Imparato (2013), Zero variance Markov chain Monte Carlo for Bayesian estimators.
    """

    def __init__(self, chains: int, dim: int) -> None:
        self._times = 0
        self._sums = np.zeros((3, dim))
        # Of each chain: x, s, x s and x².
        self._each = np.zeros((4, chains, dim))

    def add(self, x: Points, slopes: Points) -> None:
        """Count in a draw of each chain."""
        with np.errstate(all="ignore"):
            self.add_sums(1, *sums_of(x, slopes))

    def add_sums(self, times: int, sums: Any, each: Any) -> None:
        """Count in the sums over so many draws of each chain."""
        self._sums += sums
        self._each += each
        self._times += times

    def said(self, coordinates: Coordinates) -> Said:
        """Compute how to move draws in these coordinates, and check whether to believe it."""
        each = self._each / self._times
        mean, slope, product, square = each.mean(axis=1)
        noise = each.std(axis=1, ddof=1) / np.sqrt(each.shape[1])
        by_slope, by_product = self._coefficients(mean, slope, product, square)
        with np.errstate(all="ignore"):
            true_mean = mean - by_slope * slope
            true_square = square - by_product * (product + 1.0)
            variance = square - mean**2
            ratio = (true_square - true_mean**2) / variance
            scale = np.sqrt(np.clip(np.where(np.isfinite(ratio), ratio, 1.0), 1 / _MOST, _MOST))
            std = np.sqrt(np.maximum(variance, _TINY))
            moved, widened = np.abs(true_mean - mean), np.abs(np.log(scale))
            deviations = np.abs([slope, product + 1.0, moved, widened])
            errors = (noise[1], noise[2], noise[0], noise[3] / (2.0 * variance))
            holds = not (deviations > _CLEARLY * np.maximum(errors, _TINY)).any()
        if holds:
            correction = Correction(
                coordinates, mean, true_mean, scale, each[0] - by_slope * each[1]
            )
        else:
            correction = Correction(coordinates, mean, mean, np.ones(len(mean)), each[0])
        return Said(correction, holds, np.maximum(moved / std, widened))

    def _coefficients(
        self, mean: Each, slope: Each, product: Each, square: Each
    ) -> tuple[Each, Each]:
        """Regress x on s, and x² on x s."""
        slopes, products, both = self._sums / self._times
        with np.errstate(all="ignore"):
            by_slope = _finite((product - mean * slope) / (slopes - slope**2))
            by_product = _finite((both - square * product) / (products - product**2))
        return by_slope, by_product


def sums_of(x: Any, slopes: Any) -> tuple[Any, Any]:
    """Return what `Tally` adds up of a draw of each chain, for arrays of NumPy and of JAX."""
    xp = x.__array_namespace__()
    product, square = x * slopes, x**2
    terms = (slopes**2, product**2, square * product)
    return xp.stack([term.mean(axis=0) for term in terms]), xp.stack([x, slopes, product, square])


def _finite(coefficient: Each) -> Each:
    """Leave alone what has no finite sums."""
    return np.where(np.isfinite(coefficient), coefficient, 0.0)
