"""What the gradients at draws of chains say of their mean and spread."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from taut.coordinates import Coordinates

Points = Float[np.ndarray, "points dim"]
Each = Float[np.ndarray, " dim"]

# How many times a variance may change.
_MOST = 4.0
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
        x = self.coordinates.whiten(z)
        return self.coordinates.push(self.true_mean + self.scale * (x - self.mean))[0]


class Tally:
    r"""Sums over draws x of a density p and over its gradients s, each element for itself.

    Whatever the density, the expectation of :math:`s_i` is 0 and that of :math:`x_i s_i` is -1.
    What the draws have instead is noise, which tells that of their means and squares:

    .. math::
        \bar x_i + a_i \bar s_i, \quad
        \overline{x_i^2} + b_i (\overline{x_i s_i} + 1)

    with the coefficients of least squares. For a Gaussian both are exact, whatever the draws.

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
        self._sums = np.zeros((5, dim))
        self._x, self._slopes = np.zeros((chains, dim)), np.zeros((chains, dim))

    def add(self, x: Points, slopes: Points) -> None:
        """Count in a draw of each chain."""
        with np.errstate(all="ignore"):
            product, square = x * slopes, x**2
            terms = (product, slopes**2, square, product**2, square * product)
            self._sums += [term.mean(axis=0) for term in terms]
        self._times += 1
        self._x += x
        self._slopes += slopes

    def correction(self, coordinates: Coordinates) -> Correction:
        """Tell how to move draws in the coordinates that they are in."""
        means, chain_slopes = self._x / self._times, self._slopes / self._times
        mean, slope = means.mean(axis=0), chain_slopes.mean(axis=0)
        product, slopes, square, products, both = self._sums / self._times
        with np.errstate(all="ignore"):
            by_slope = _finite((product - mean * slope) / (slopes - slope**2))
            by_product = _finite((both - square * product) / (products - product**2))
            true_mean = mean - by_slope * slope
            true_square = square - by_product * (product + 1.0)
            ratio = (true_square - true_mean**2) / (square - mean**2)
        scale = np.sqrt(np.clip(np.where(np.isfinite(ratio), ratio, 1.0), 1.0 / _MOST, _MOST))
        chain_means = means - by_slope * chain_slopes
        return Correction(coordinates, mean, true_mean, scale, chain_means)


def _finite(coefficient: Each) -> Each:
    """Leave alone what has no finite sums."""
    return np.where(np.isfinite(coefficient), coefficient, 0.0)
