"""Coordinates in which heavy tails are lighter, and when draws ask for them."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import final

import numpy as np
from jaxtyping import Bool, Float, Int

from taut.chains.coordinates import Coordinates, Points, Values, as_pytree

Each = Float[np.ndarray, " tails"]
Draws = Float[np.ndarray, "draws dim"]

# Probabilities of the quantiles that are compared with a standard normal's, which are on the left
# of its median; those on the right mirror them.
_LOWER = np.array([0.005, 0.01, 0.025, 0.05, 0.1, 0.18, 0.26, 0.34, 0.42])
_LEVELS = np.concatenate([_LOWER, [0.5], 1.0 - _LOWER[::-1]])
_NORMAL = np.array([NormalDist().inv_cdf(level) for level in _LEVELS])
# One over their standard errors where draws are normal, times the root of the number.
_SURE = np.exp(-0.5 * _NORMAL**2) / np.sqrt(2.0 * np.pi * _LEVELS * (1.0 - _LEVELS))
# Weights that are tried, of each tail and of both alike, and those from which on one matters.
_EACH, _LEAST = np.array([0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0]), 0.4
_BOTH = np.arange(_LEAST, 2.01, 0.1)
# A weight of both at which the map is linear, to rounding.
LINEAR = 1e-6
_PAIRS = np.stack([each.ravel() for each in np.meshgrid(_EACH, _EACH)])
_TRIED = np.block([[_PAIRS, np.zeros((2, len(_BOTH)))], [np.full(_PAIRS.shape[1], LINEAR), _BOTH]])
# Skewness and excess of draws have to stand out of their noise by this statistic, that of Jarque
# and Bera: of normal draws, chance gives one of 270 000.
_CLEAR = 25.0


@final
@as_pytree
@dataclass(frozen=True)
class Tailed(Coordinates):
    r"""Elements with tails heavier than a Gaussian's, as of a Student t, or of a scale's logarithm.

    .. math::
        z_i = m_i + s_i \sinh(d_i y_i) / d_i, \quad
        y_i = x_i \sqrt{1 + (l_i x_i)^2}

    with another l where x is negative than where it is positive. Tails that fall exponentially
    become normal by the root: those on the left of a scale's logarithm, where the density of the
    scale is not zero at zero. Those of a Student t take more. Second derivatives are 0 in the
    middle, whatever the weights. Few elements have such tails, and what others would take is
    spared.

    Parameters
    ----------
    which
        Elements with tails.
    slot
        Of every element, its place among these, and -1 where it is none of them.
    centre, scale
        :math:`m` and :math:`s` of those with tails.
    weight
        Rows of :math:`l \ge 0` on the left and on the right, and of :math:`d > 0`; where this is
        tiny, both tails are as the root leaves them.

    References
    ----------
    Jones, Pewsey (2009), Sinh-arcsinh distributions. Yang, Łatuszyński, Roberts (2022),
    Stereographic Markov chain Monte Carlo, on chains in heavy tails.
    """

    which: Int[np.ndarray, " tails"]
    slot: Int[np.ndarray, " dim"]
    centre: Each
    scale: Each
    weight: Float[np.ndarray, "3 tails"]

    @classmethod
    def of(
        cls, dim: int, which: np.ndarray, centre: Each, scale: Each, weight: np.ndarray
    ) -> "Tailed":
        """Make one of some elements' numbers, in so many dimensions."""
        slot = np.full(dim, -1)
        slot[which] = np.arange(len(which))
        return cls(which, slot, centre, scale, weight)

    def push(self, x: Points) -> tuple[Points, Values]:
        xp, rooted, slope = x.__array_namespace__(), *_rooted(x[:, self.which], self.weight)
        bent = self.weight[2] * rooted
        log_slope = xp.logaddexp(bent, -bent) - np.log(2.0) + xp.log(self.scale * slope)
        moved = self.centre + self.scale * xp.sinh(bent) / self.weight[2]
        return self._put(moved, x), log_slope.sum(axis=1)

    def pull(self, x: Points, slopes: Points) -> Points:
        xp, some = x.__array_namespace__(), x[:, self.which]
        rooted, slope = _rooted(some, self.weight)
        bent, square = self.weight[2] * rooted, _side(some, self.weight) ** 2
        by_both = slopes[:, self.which] * self.scale * xp.cosh(bent)
        by_both = by_both + self.weight[2] * xp.tanh(bent)
        bends = 4.0 / (1.0 + 2.0 * square * some**2) - 1.0 / (1.0 + square * some**2)
        return self._put(by_both * slope + square * some * bends, slopes)

    def whiten(self, z: Points) -> Points:
        xp = z.__array_namespace__()
        away = (z[:, self.which] - self.centre) * self.weight[2] / self.scale
        rooted = xp.asinh(away) / self.weight[2]
        double = 2.0 * _side(rooted, self.weight) * rooted
        return self._put(rooted * xp.sqrt(2.0 / (1.0 + xp.hypot(1.0, double))), z)

    def _put(self, some: Points, others: Points) -> Points:
        """Put what elements with tails become among what the others are."""
        if not len(self.which):
            return others
        return others.__array_namespace__().where(self.slot >= 0, some[:, self.slot], others)


def _side(some: Points, weight: np.ndarray) -> Points:
    """Return the weights of the sides on which elements are."""
    return some.__array_namespace__().where(some < 0.0, weight[0], weight[1])


def _rooted(some: Points, weight: np.ndarray) -> tuple[Points, Points]:
    """Multiply by the root, and return the derivative too."""
    xp = some.__array_namespace__()
    square = (_side(some, weight) * some) ** 2
    root = xp.sqrt(1.0 + square)
    return some * root, (1.0 + 2.0 * square) / root


def lighten(
    x: Draws,
    effective: Float[np.ndarray, " dim"],
    toward: Float[np.ndarray, " dim"] | None = None,
) -> Tailed | None:
    """Find the elements whose quantiles lie as those of a normal with tails do.

    Parameters
    ----------
    x
        The draws.
    effective
        How many independent ones they are worth, for each element.
    toward
        -1 for elements of which tails on the left are sought alone, 1 for those of which tails on
        the right are; by default, both are.

    Returns
    -------
    Tailed or None
        `None` where no tail is clearly heavy.
    """
    asked = np.flatnonzero(_is_odd(x, effective))
    if not len(asked):
        return None
    centre, scale, weight = _nearest(np.quantile(x[:, asked], _LEVELS, axis=0))
    heavy = weight.max(axis=0) >= _LEAST
    if toward is not None:
        heavy &= toward[asked] * (weight[1] - weight[0]) > 0.0
    if not heavy.any():
        return None
    return Tailed.of(x.shape[1], asked[heavy], centre[heavy], scale[heavy], weight[:, heavy])


def _is_odd(x: Draws, effective: Float[np.ndarray, " dim"]) -> Bool[np.ndarray, " dim"]:
    """Whether skewness or kurtosis are clearly not a Gaussian's."""
    away = x - x.mean(axis=0)
    square = away**2
    variance = np.maximum(square.mean(axis=0), 1e-300)
    skewness = (square * away).mean(axis=0) / variance**1.5
    excess = (square**2).mean(axis=0) / variance**2 - 3.0
    return effective * (skewness**2 / 6.0 + excess**2 / 24.0) > _CLEAR


def _nearest(quantiles: Float[np.ndarray, "levels tails"]) -> tuple[Each, Each, np.ndarray]:
    """Fit centres and scales by least squares for all weights that are tried; take the best."""
    rooted, slope = _rooted(_NORMAL[:, None], _TRIED)
    at = (np.sinh(_TRIED[2] * rooted) / _TRIED[2]).T
    sure = _SURE / (slope * np.cosh(_TRIED[2] * rooted)).T
    share = sure**2 / (sure**2).sum(axis=1, keepdims=True)
    middle, mean = (share * at).sum(axis=1, keepdims=True), share @ quantiles
    along = share * (at - middle)
    scale = along @ quantiles / (along * at).sum(axis=1, keepdims=True)
    scale = np.maximum(scale, 1e-300)
    centre = mean - scale * middle
    left = quantiles - centre[:, None] - scale[:, None] * at[:, :, None]
    error = np.einsum("pk,pke->pe", sure**2, left**2) / scale**2
    best = error.argmin(axis=0)
    each = best, np.arange(quantiles.shape[1])
    return centre[each], scale[each], _TRIED[:, best]
