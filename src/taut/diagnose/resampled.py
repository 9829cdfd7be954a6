"""Draws that importance weights choose, judged by these weights and by chains beside them."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float

from taut.chains import Window
from taut.diagnose import criteria
from taut.diagnose.finding import Finding, at_least, failed
from taut.diagnose.psis import ImportanceWeights, psis
from taut.diagnose.shift import Moments, shift_of
from taut.diagnose.verdict import Outcome
from taut.target import Space

_TINY = 1e-300


@dataclass(frozen=True, eq=False)
class Resampled:
    r"""Draws with weights, in place of a posterior.

    Unlike `taut.diagnose.WeightCheck` this is no judge of what the draws come from, which may be
    far wider: the weighted draws are the result. Weights do not see what no draw is near to; chains
    that came there by themselves do.

    Parameters
    ----------
    z
        The draws.
    weights
        Pareto smoothed.
    moments
        Weighted mean and standard deviation of each element, with their standard errors.
    """

    z: Float[np.ndarray, "draws dim"]
    weights: ImportanceWeights
    moments: Moments

    @classmethod
    def of(
        cls, z: Float[np.ndarray, "draws dim"], log_ratios: Float[np.ndarray, " draws"]
    ) -> Self | None:
        """Weigh draws; `None` where no weights can be made.

        Parameters
        ----------
        z
            Draws of some q.
        log_ratios
            :math:`\\log p(y, z) - \\log q(z)` there, in nats.
        """
        if np.isnan(log_ratios).any() or not np.isfinite(log_ratios.max()):
            return None
        weights = psis(log_ratios)
        share = weights.weights
        mean = share @ z
        away = (z - mean) ** 2
        variance = np.maximum(share @ away, _TINY)
        noise = np.sqrt(share**2 @ away)
        log_noise = 0.5 * np.sqrt(share**2 @ (away / variance - 1.0) ** 2)
        return cls(z, weights, Moments(mean, np.sqrt(variance), noise, log_noise))

    def findings(self, window: Window, space: Space) -> tuple[Finding, ...]:
        """Judge the weights by their tail and their number, and the draws by chains.

        Parameters
        ----------
        window
            Of chains that began elsewhere.
        space
            Names the elements.
        """
        bounds, moments = criteria.CRITERIA, self.moments
        khat = self.weights.khat
        effective = (moments.std / np.maximum(moments.noise, _TINY)) ** 2
        spread = 0.5 / np.maximum(moments.log_std_noise, _TINY) ** 2
        worth = "weighted draws are worth {:.0f} independent ones (bound {:.0f})"
        of_spread = "their spread is worth that of {:.0f} independent ones (bound {:.0f})"
        return (
            # Up to 0.7 a log sd may be off by 0.15, and chains as short as these do not see it.
            Finding("khat", khat < bounds.khat, f"k-hat is {khat:.2f} (bound {bounds.khat})"),
            at_least("effective", worth, effective, bounds.effective, space),
            at_least("effective_spread", of_spread, spread, bounds.effective_spread, space),
            *shift_of(moments, window).of_approximation(space),
        )

    def outcome(self, window: Window, space: Space) -> tuple[Outcome, tuple[Finding, ...]]:
        """Judge by `findings`, and return which criteria do not hold."""
        wrong = failed(self.findings(window, space))
        return (Outcome.UNCONFIRMED if wrong else Outcome.RESAMPLED), wrong
