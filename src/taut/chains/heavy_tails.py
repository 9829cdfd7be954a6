"""Coordinates in which heavy tails are lighter, and when draws ask for them."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Int

from taut.chains.coordinates import Coordinates, Points, Values, as_pytree

Each = Float[np.ndarray, " tails"]

# Quantiles that are compared: where a standard normal has them, and the probabilities.
_INNER, _OUTER = 0.67449, 1.95996
_LEVELS = (0.025, 0.25, 0.5, 0.75, 0.975)
# Standard error of their ratio in Gaussian draws, times the root of the number; how many of them it
# has to be larger than a Gaussian's; and the weights from which on and up to which it matters.
_ERROR, _CLEAR, _LEAST, _MOST = 1.5, 3.0, 0.4, 2.0
_GRID = np.linspace(0.0, _MOST, 201)[1:]
# A weight at which the map is linear, to rounding.
LINEAR = 1e-6
_RATIOS = np.sinh(_OUTER * _GRID) / np.sinh(_INNER * _GRID)


@final
@as_pytree
@dataclass(frozen=True)
class Tailed(Coordinates):
    r"""Elements with tails heavier than a Gaussian's, as of a Student t.

    .. math:: z_i = m_i + s_i \sinh(d_i x_i) / d_i

    Few elements have such tails, and what others would take is spared.

    Parameters
    ----------
    which
        Elements with tails.
    slot
        Of every element, its place among these, and -1 where it is none of them.
    centre, scale
        :math:`m` and :math:`s` of those with tails.
    weight
        Their :math:`d` > 0; where it is tiny the map is linear.

    References
    ----------
    Jones, Pewsey (2009), Sinh-arcsinh distributions. Yang, Łatuszyński, Roberts (2022),
    Stereographic Markov chain Monte Carlo, on chains in heavy tails.
    """

    which: Int[np.ndarray, " tails"]
    slot: Int[np.ndarray, " dim"]
    centre: Each
    scale: Each
    weight: Each

    @classmethod
    def of(cls, dim: int, which: np.ndarray, centre: Each, scale: Each, weight: Each) -> "Tailed":
        """Make one of some elements' numbers, in so many dimensions."""
        slot = np.full(dim, -1)
        slot[which] = np.arange(len(which))
        return cls(which, slot, centre, scale, weight)

    def push(self, x: Points) -> tuple[Points, Values]:
        xp, bent = x.__array_namespace__(), self.weight * x[:, self.which]
        log_slope = xp.logaddexp(bent, -bent) - np.log(2.0) + xp.log(self.scale)
        moved = self.centre + self.scale * xp.sinh(bent) / self.weight
        return self._put(moved, x), log_slope.sum(axis=1)

    def pull(self, x: Points, slopes: Points) -> Points:
        xp, bent = x.__array_namespace__(), self.weight * x[:, self.which]
        pulled = slopes[:, self.which] * self.scale * xp.cosh(bent)
        return self._put(pulled + self.weight * xp.tanh(bent), slopes)

    def whiten(self, z: Points) -> Points:
        away = (z[:, self.which] - self.centre) * self.weight / self.scale
        return self._put(z.__array_namespace__().asinh(away) / self.weight, z)

    def _put(self, some: Points, others: Points) -> Points:
        """Put what elements with tails become among what the others are."""
        if not len(self.which):
            return others
        return others.__array_namespace__().where(self.slot >= 0, some[:, self.slot], others)


def lighten(x: Points, effective: Float[np.ndarray, " dim"]) -> Tailed | None:
    """Find the elements whose outer quantiles are further out than a Gaussian's.

    Parameters
    ----------
    x
        The draws.
    effective
        How many independent ones they are worth, for each element.

    Returns
    -------
    Tailed or None
        `None` where no tail is clearly heavy.
    """
    far_low, low, median, high, far_high = np.quantile(x, _LEVELS, axis=0)
    ratio = (far_high - far_low) / np.maximum(high - low, 1e-300)
    weight = np.interp(ratio, _RATIOS, _GRID)
    clear = ratio > _RATIOS[0] * (1.0 + _CLEAR * _ERROR / np.sqrt(effective))
    heavy = clear & (weight > _LEAST)
    if not heavy.any():
        return None
    which = np.flatnonzero(heavy)
    median, width, weight = median[which], (high - low)[which], weight[which]
    scale = width / 2.0 * weight / np.sinh(_INNER * weight)
    return Tailed.of(x.shape[1], which, median, scale, weight)
