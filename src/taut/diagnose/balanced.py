"""Importance weights whose noise is that of what they move alone."""

from dataclasses import dataclass
from typing import final

import numpy as np
import scipy
from jaxtyping import Float

from taut.diagnose import criteria
from taut.diagnose.psis import ImportanceWeights, psis

Draws = Float[np.ndarray, "draws dim"]
Each = Float[np.ndarray, " dim"]
Two = tuple[Each, Each]
_TINY = 1e-12


@final
@dataclass(frozen=True, eq=False)
class BalancedWeights:
    r"""Weights of a density p and of what is near it, q, at draws that reach further than both.

    Means under p are differences from the same means under q, which are known:

    .. math:: E_p f - E_q f \approx \sum_s (w_s f_s - v_s f_s)

    Parameters
    ----------
    weights
        Of p.
    plain
        Of q, with a mean of one.
    log_ratios
        :math:`\log p - \log q` at the draws.
    """

    weights: ImportanceWeights
    plain: Float[np.ndarray, " draws"]
    log_ratios: Float[np.ndarray, " draws"]

    @classmethod
    def of(
        cls,
        log_p: Float[np.ndarray, " draws"],
        log_q: Float[np.ndarray, " draws"],
        log_proposal: Float[np.ndarray, " draws"],
    ) -> "BalancedWeights":
        """Smooth the weights of p.

        Parameters
        ----------
        log_p, log_q, log_proposal
            Log densities at draws of the last, the second half of which are the first, mirrored.
        """
        plain = np.exp(log_q - log_proposal)
        return cls(psis(log_p - log_proposal), plain / plain.mean(), log_p - log_q)

    @property
    def relative(self) -> Float[np.ndarray, " draws"]:
        """The weights of p, with a mean of one."""
        return self.weights.weights * len(self.weights.weights)

    @property
    def share(self) -> float:
        """Share of the draws that are effective for q."""
        return 1.0 / float((self.plain**2).mean())

    @property
    def is_even(self) -> bool:
        """Whether they are nearly alike, by their tail and their number."""
        bounds = criteria.CRITERIA
        effective = self.weights.ess / len(self.plain) / self.share
        return self.weights.khat < bounds.khat and effective > bounds.effective_share

    @property
    def elbo(self) -> float:
        """Evidence lower bound of q, in nats."""
        finite = np.isfinite(self.log_ratios)
        return float(np.average(self.log_ratios[finite], weights=self.plain[finite]))

    @property
    def divergence(self) -> float:
        """KL(q || p), in nats; infinite where p is zero at a draw."""
        if not np.isfinite(self.log_ratios).all():
            return np.inf
        evidence = scipy.special.logsumexp(self.log_ratios, b=self.plain / len(self.plain))
        return float(evidence) - self.elbo

    def difference(self, weighed: Draws, plain: Draws) -> Two:
        """Return the difference of means under p and q, and its standard error.

        Parameters
        ----------
        weighed
            What is averaged under p, at each draw.
        plain
            What it is under q, at each draw.
        """
        each = self.relative[:, None] * weighed - self.plain[:, None] * plain
        half = len(each) // 2
        pairs = 0.5 * (each[:half] + each[half:])
        return pairs.mean(axis=0), pairs.std(axis=0) / np.sqrt(half)


@final
@dataclass(frozen=True, eq=False)
class Shifted:
    """How far weights move marginals, in standard deviations and in logarithms of these."""

    mean: Each
    noise: Each
    log_sd: Each
    log_sd_noise: Each
    std: Each

    @classmethod
    def of(
        cls,
        first: Two,
        second: Two,
        variances: Each,
    ) -> "Shifted":
        """Compare moments with those of the fit.

        Parameters
        ----------
        first, second
            Differences of means, and of means of squares, each with its standard error.
        variances
            Of the fit.
        """
        std = np.sqrt(variances)
        ratio = 1.0 + (second[0] - first[0] ** 2) / variances
        log_sd = 0.5 * np.log(np.maximum(ratio, _TINY))
        return cls(first[0] / std, first[1] / std, log_sd, 0.5 * second[1] / variances, std)
