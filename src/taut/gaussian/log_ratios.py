"""What importance weights say of an approximation."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Weights:
    r"""Log densities of the target over those of `q`, at draws of `q`.

    Parameters
    ----------
    values
        :math:`\log p(y, z) - \log q(z)`, in nats.
    """

    values: Float[np.ndarray, " draws"]

    @property
    def elbo(self) -> float:
        """Their mean: the evidence lower bound; minus infinity where one is not finite, or none."""
        mean = float(self.values.mean()) if len(self.values) else -np.inf
        return mean if np.isfinite(mean) else -np.inf

    @property
    def divergence(self) -> float:
        r"""Estimate of KL(q ‖ p), in nats: the log of the mean weight less the mean log weight.

        It is small exactly where `q` is good on the region that `q` sees; infinite where the
        density of a draw is zero, or there is no draw.
        """
        if not len(self.values) or not np.isfinite(self.values).all():
            return np.inf
        return float(np.logaddexp.reduce(self.values) - np.log(len(self.values)) - self.elbo)

    @property
    def effective_share(self) -> float:
        r"""Share of the draws that are effective: :math:`1 / (n \sum_s w_s^2)`, normalised."""
        if not len(self.values) or not np.isfinite(self.values.max()):
            return 0.0
        weights = np.exp(self.values - self.values.max())
        return float(weights.sum() ** 2 / (weights**2).sum() / len(weights))
