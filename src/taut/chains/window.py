"""What chains did in some transitions, and what that tells."""

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Self

import numpy as np
from jaxtyping import Float

from taut.chains.control_variates import Correction, Moved, Said


@dataclass(frozen=True)
class Window:
    """What chains did in some transitions.

    Parameters
    ----------
    draws
        Where they were, in the unconstrained space.
    accepted
        Mean acceptance probability of each chain.
    said
        What noise of their mean and spread the gradients at draws show.
    diverged
        Where transitions that diverged were last, before the density was not finite.
    left
        Where those were last that ended where the density is zero.
    """

    draws: Float[np.ndarray, "transitions chains dim"]
    accepted: Float[np.ndarray, " chains"]
    said: Said
    diverged: Float[np.ndarray, "divergences dim"]
    left: Float[np.ndarray, "ends dim"]

    def stored(self) -> dict[str, Any]:
        """Return what it is kept by: coordinates have functions of the model in them."""
        of_correction = self.correction
        return {
            "draws": self.draws,
            "accepted": self.accepted,
            "diverged": self.diverged,
            "left": self.left,
            "holds": self.said.holds,
            "moves": self.said.moves,
            "corrected": self.corrected if self.said.holds else None,
            "standard_error": of_correction.standard_error,
            "posterior_mean": of_correction.posterior_mean,
        }

    @classmethod
    def restored(
        cls,
        *,
        holds: bool,
        moves: Float[np.ndarray, " dim"],
        corrected: Float[np.ndarray, "draws dim"] | None,
        standard_error: Float[np.ndarray, " dim"],
        posterior_mean: Float[np.ndarray, " dim"],
        **fields: Any,
    ) -> Self:
        """Make one of what `stored` returned."""
        draws = fields["draws"]
        pooled = draws.reshape(-1, draws.shape[2]) if corrected is None else corrected
        moved = Moved(pooled, standard_error, posterior_mean)
        return cls(said=Said(moved, holds, moves), **fields)

    def __reduce__(self) -> Any:
        return partial(Window.restored, **self.stored()), ()

    def joined(self, later: "Window") -> "Window":
        """Return this one with the transitions after it, whose `said` is that of all of them."""
        counts = len(self.draws), len(later.draws)
        return Window(
            np.concatenate([self.draws, later.draws]),
            np.average([self.accepted, later.accepted], axis=0, weights=counts),
            later.said,
            np.concatenate([self.diverged, later.diverged]),
            np.concatenate([self.left, later.left]),
        )

    def since(self, transition: int) -> "Window":
        """Return the draws of the transitions from one on, with what all of them say."""
        return self if transition == 0 else replace(self, draws=self.draws[transition:])

    @property
    def correction(self) -> Correction | Moved:
        """Takes from draws the noise that gradients show, where these can be believed."""
        return self.said.correction

    @property
    def divergent(self) -> float:
        """Share of transitions that diverged, or left the support."""
        ended = len(self.diverged) + len(self.left)
        return ended / (self.draws.shape[0] * self.draws.shape[1])

    @cached_property
    def pooled(self) -> Float[np.ndarray, "draws dim"]:
        """All draws, one a row."""
        return self.draws.reshape(-1, self.draws.shape[2])

    @cached_property
    def corrected(self) -> Float[np.ndarray, "draws dim"]:
        """All draws, without the noise that their gradients show."""
        return self.correction(self.pooled)

    @cached_property
    def quartiles(self) -> Float[np.ndarray, "3 dim"]:
        """Of the draws without that noise."""
        return np.quantile(self.corrected, (0.25, 0.5, 0.75), axis=0)

    @cached_property
    def draws_each(self) -> Float[np.ndarray, " dim"]:
        r"""Independent draws of the posterior that each chain is worth.

        .. math:: W / B

        with the variance B of the chains' means and the mean W of their variances, of the values
        and of their distances from the median; the smaller is taken. It tells whether every chain
        has seen what all have seen, also where chains are so short that a classic
        :math:`\hat R = \sqrt{1 + B / W}` near 1 would take far more of them.
        """
        away = np.abs(self.draws - np.median(self.pooled, axis=0))
        return np.minimum(_draws_each(self.draws), _draws_each(away))

    @cached_property
    def standard_error(self) -> Float[np.ndarray, " dim"]:
        """Of the means, from the spread of the chains' own."""
        means = self.draws.mean(axis=0)
        return means.std(axis=0, ddof=1) / np.sqrt(len(means))

    @cached_property
    def log_std_error(self) -> Float[np.ndarray, " dim"]:
        """Of the logarithms of the standard deviations, from the chains' own mean squares."""
        away = self.draws - self.pooled.mean(axis=0)
        squares = (away**2).mean(axis=0) / np.maximum(self.pooled.var(axis=0), 1e-300)
        return 0.5 * squares.std(axis=0, ddof=1) / np.sqrt(len(squares))

    @cached_property
    def effective(self) -> Float[np.ndarray, " dim"]:
        """Independent draws that would tell the mean as well."""
        return self.pooled.var(axis=0) / np.maximum(self.standard_error**2, 1e-300)

    @cached_property
    def effective_spread(self) -> Float[np.ndarray, " dim"]:
        """Independent draws of a Gaussian that would tell the standard deviation as well."""
        return 0.5 / np.maximum(self.log_std_error**2, 1e-300)

    @cached_property
    def spread_of_independent(self) -> Float[np.ndarray, " dim"]:
        """What `effective_spread` would be of as many independent draws as tell the mean as well.

        The fourth moment says so: the heavier the tails, the fewer.
        """
        square = (self.pooled - self.pooled.mean(axis=0)) ** 2
        variance = np.maximum(square.mean(axis=0), 1e-300)
        excess = (square**2).mean(axis=0) / variance**2 - 1.0
        return 2.0 * self.effective / np.maximum(excess, 1e-300)


def _draws_each(
    draws: Float[np.ndarray, "transitions chains dim"],
) -> Float[np.ndarray, " dim"]:
    within = draws.var(axis=0, ddof=1).mean(axis=0)
    between = draws.mean(axis=0).var(axis=0, ddof=1)
    return within / np.maximum(between, 1e-300)
