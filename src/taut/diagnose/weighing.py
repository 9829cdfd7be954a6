"""Importance weights as the judge of an approximation, where they are reliable."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from taut.diagnose import criteria
from taut.diagnose.finding import Finding, at_most, failed
from taut.diagnose.psis import ImportanceWeights, psis
from taut.diagnose.shift import Moments, beyond_noise
from taut.gaussian import Normal
from taut.target import Space

Each = Float[np.ndarray, " dim"]


@dataclass(frozen=True)
class WeightCheck:
    r"""How far importance weights move the marginals of `q`.

    .. math::
        \delta_i = \frac{\sum_s w_s z_{si} - E_q z_i}{\mathrm{sd}_q z_i}, \quad
        w_s \propto p(y, z_s) / q(z_s)

    with Pareto smoothed weights that add up to one. Where they are reliable, they see what `q` has
    wrong wherever `q` has draws, in any number of dimensions.

    Parameters
    ----------
    mean_shift
        :math:`\delta_i` of each element of the unconstrained vector.
    log_sd_shift
        Logarithm of the weighted standard deviation over that of `q`.
    noise, log_sd_noise
        Their standard errors.
    weights
        The weights.
    expected
        Share of the draws that are effective where p is q.

    References
    ----------
    Yao, Vehtari, Simpson, Gelman (2018), Yes, but did it work? Vehtari, Simpson, Gelman, Yao, Gabry
    (2024), Pareto smoothed importance sampling.
    """

    mean_shift: Each
    log_sd_shift: Each
    noise: Each
    log_sd_noise: Each
    weights: ImportanceWeights
    expected: float = 1.0

    @property
    def is_reliable(self) -> bool:
        """Whether the weights can judge: their tail, their number, and their noise."""
        bounds = criteria.CRITERIA
        effective = self.weights.ess / len(self.weights.log_weights) / self.expected
        is_even = self.weights.khat < bounds.khat and effective > bounds.effective_share
        return is_even and self.is_known

    @property
    def is_known(self) -> bool:
        """Whether shifts of the size of their bounds would stand out from the noise."""
        bounds = criteria.CRITERIA
        return bool(
            bounds.noise * self.noise.max() < bounds.mean_shift
            and bounds.noise * self.log_sd_noise.max() < bounds.log_sd_shift
        )

    def findings(self, space: Space) -> tuple[Finding, ...]:
        """Compare shifts with their bounds."""
        bounds = criteria.CRITERIA
        mean, spread = (
            np.full(space.dim, bound) for bound in (bounds.mean_shift, bounds.log_sd_shift)
        )
        moved = "weights move a mean by {:.2f} sd (bound {:.2f})"
        widened = "weights move a log sd by {:.2f} (bound {:.2f})"
        return (
            at_most("mean_shift", moved, np.abs(self.mean_shift), mean, space),
            at_most("log_sd_shift", widened, np.abs(self.log_sd_shift), spread, space),
        )

    def passes(self, space: Space) -> bool:
        """Whether the weights can judge, and move nothing."""
        return self.is_reliable and not failed(self.findings(space))

    def improve(self, normal: Normal) -> Normal:
        """Move a Gaussian to the weighted mean and marginal spread, less what is noise."""
        mean = normal.mean + beyond_noise(self.mean_shift, self.noise) * normal.std
        return normal.moved(mean, np.exp(beyond_noise(self.log_sd_shift, self.log_sd_noise)))


def weigh(
    z: Float[np.ndarray, "draws dim"], log_ratios: Float[np.ndarray, " draws"], moments: Moments
) -> WeightCheck | None:
    """Compare weighted draws of `q` with its moments; `None` where no weights can be made.

    Parameters
    ----------
    z
        Draws of `q`.
    log_ratios
        :math:`\\log p(y, z) - \\log q(z)` there, in nats.
    moments
        Of `q`.
    """
    if np.isnan(log_ratios).any() or not np.isfinite(log_ratios.max()):
        return None
    weights = psis(log_ratios)
    share = weights.weights
    mean = share @ z
    away = (z - mean) ** 2
    variance = np.maximum(share @ away, 1e-300)
    noise = np.sqrt(share**2 @ away)
    log_noise = 0.5 * np.sqrt(share**2 @ (away / variance - 1.0) ** 2)
    return WeightCheck(
        (mean - moments.mean) / moments.std,
        0.5 * np.log(variance) - np.log(moments.std),
        np.hypot(noise, moments.noise) / moments.std,
        np.hypot(log_noise, moments.log_std_noise),
        weights,
    )
