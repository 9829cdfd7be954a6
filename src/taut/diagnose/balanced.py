"""Importance weights of draws that are balanced: their noise is that of the weights alone."""

from dataclasses import dataclass
from typing import final

import numpy as np
import scipy
from jaxtyping import Float

from taut.diagnose.psis import ImportanceWeights, psis

Draws = Float[np.ndarray, "draws dim"]
Each = Float[np.ndarray, " dim"]
Two = tuple[Each, Each]
_TINY = 1e-12


def balanced_noise(random: np.random.Generator, draws: int, dim: int) -> Draws:
    """Make quasi-random normal draws with a mean of zero and the covariance I, exactly.

    The second half are the first, mirrored.

    Parameters
    ----------
    random
        Scrambles them.
    draws
        How many: even, and more than twice the dimensions.
    dim
        Elements of each.
    """
    sobol = scipy.stats.qmc.Sobol(dim, rng=random)
    uniform = sobol.random_base2(int(np.ceil(np.log2(draws // 2))))[: draws // 2]
    half = scipy.stats.norm.ppf(np.clip(uniform, 1e-12, 1 - 1e-12))
    root = np.linalg.cholesky(half.T @ half / len(half))
    half = scipy.linalg.solve_triangular(root, half.T, lower=True).T
    return np.concatenate([half, -half])


@final
@dataclass(frozen=True, eq=False)
class BalancedWeights:
    r"""Weights of balanced draws of a Gaussian.

    Means of what they weigh are differences from the same means without weights, which are known:

    .. math:: E_p f - E_q f \approx \frac1S \sum_s (w_s f_s - f_s)

    Parameters
    ----------
    weights
        The importance weights.
    """

    weights: ImportanceWeights

    @classmethod
    def of(cls, log_ratios: Float[np.ndarray, " draws"]) -> "BalancedWeights":
        """Smooth weights.

        Parameters
        ----------
        log_ratios
            :math:`\\log p - \\log q` at balanced draws.
        """
        return cls(psis(log_ratios))

    @property
    def relative(self) -> Float[np.ndarray, " draws"]:
        """The weights, with a mean of one."""
        return self.weights.weights * len(self.weights.weights)

    def difference(self, weighed: Draws, plain: Draws) -> Two:
        """Return the mean of ``w * weighed - plain``, and its standard error.

        Parameters
        ----------
        weighed
            What is weighed, at each draw.
        plain
            What it is under `q`, at each draw.
        """
        each = self.relative[:, None] * weighed - plain
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
