"""What globals are drawn from, where their density is known but for a constant."""

from dataclasses import dataclass
from typing import Self, final

import numpy as np
import scipy
from jaxtyping import Float

from taut.diagnose import heavy_log_prob
from taut.gaussian import DenseNormal
from taut.method.marginal_fit import Draws

Each = Float[np.ndarray, " draws"]

# Weights beside the largest that make no kernel.
_NEGLIGIBLE = 1e-6
# How many times as wide, or narrow, a kernel is as the typical one.
_WIDER = 4.0
# How many times as wide as all draws what looks for others is.
_FURTHER = 3.0


@final
@dataclass(frozen=True, eq=False)
class Kernels:
    r"""A mixture of Student distributions around draws, by their weights.

    .. math:: g(\theta) = \sum_s w_s \, t(\theta; \; \theta_s, \; h^2 \lambda_s^2 \Sigma), \quad
              h = n^{-1 / (m + 4)}, \quad \lambda_s \propto p(\theta_s)^{-1 / \max(m, 2)}

    It follows a density that is bent, or has one tail that is longer, where no Gaussian does.

    Parameters
    ----------
    centers, shares
        The draws, and their weights, which sum to one.
    widths
        :math:`\lambda_s`: kernels are wider where draws are rare.
    normal
        The Gaussian of one kernel, around zero.

    References
    ----------
    Scott (1992), Multivariate Density Estimation. Abramson (1982), On bandwidth variation in kernel
    estimates. West (1993), Approximating posterior distributions by mixtures.
    """

    centers: Draws
    shares: Each
    widths: Each
    normal: DenseNormal

    @classmethod
    def of(cls, theta: Draws, shares: Each, log_p: Each) -> Self:
        """Choose the width by how many draws are effective, and by the density there."""
        away = theta - shares @ theta
        effective = 1.0 / (shares**2).sum()
        cov = (away.T * shares) @ away * effective ** (-2.0 / (theta.shape[1] + 4))
        kept = shares > _NEGLIGIBLE * shares.max()
        share, log_p = shares[kept] / shares[kept].sum(), log_p[kept]
        widths = np.exp((share @ log_p - log_p) / max(theta.shape[1], 2))
        widths = np.clip(widths, 1.0 / _WIDER, _WIDER)
        return cls(theta[kept], share, widths, DenseNormal.of(np.zeros(theta.shape[1]), cov))

    def push(self, x: Draws, random: np.random.Generator) -> Draws:
        """Turn noise into draws, each kernel as often as its share."""
        places = (random.random() + np.arange(len(x))) / len(x)
        which = np.minimum(np.searchsorted(np.cumsum(self.shares), places), len(self.shares) - 1)
        which = random.permutation(which)
        return self.centers[which] + self.widths[which, None] * self.normal.color(x)

    def log_prob(self, theta: Draws) -> Each:
        """Evaluate the log density."""
        points = self.normal.whiten(theta), self.normal.whiten(self.centers)
        squares = scipy.spatial.distance.cdist(*points, "sqeuclidean")
        each = heavy_log_prob(squares / self.widths**2, theta.shape[1])
        shares = self.shares / self.widths ** theta.shape[1]
        return scipy.special.logsumexp(each, axis=1, b=shares) - self.normal.log_det


@final
@dataclass(frozen=True, eq=False)
class Student:
    """A Gaussian with heavier tails."""

    normal: DenseNormal

    def push(self, x: Draws, _: np.random.Generator) -> Draws:
        """Turn noise into draws."""
        return self.normal.push(x)[0]

    def log_prob(self, theta: Draws) -> Each:
        """Evaluate the log density."""
        squares = (self.normal.whiten(theta) ** 2).sum(axis=1)
        return heavy_log_prob(squares, theta.shape[1]) - self.normal.log_det


@final
@dataclass(frozen=True, eq=False)
class Defensive:
    r"""Kernels and one wide distribution, of which every second draw is.

    .. math:: g(\theta) = \tfrac12 g_K(\theta) + \tfrac12 \, t(\theta; \; \mu, \; 3^2 \Sigma)

    Kernels are where draws have been. Where these have missed an end of a narrow ridge weights are
    even all the same, and wrong; draws that reach further find it, and weigh much.

    Parameters
    ----------
    kernels, wide
        Its two parts.

    References
    ----------
    Hesterberg (1995), Weighted average importance sampling and defensive mixture distributions.
    """

    kernels: Kernels
    wide: Student

    @classmethod
    def of(cls, theta: Draws, shares: Each, log_p: Each) -> Self:
        """Put kernels around draws, and take the wide distribution from their moments."""
        mean = shares @ theta
        away = theta - mean
        wide = DenseNormal.of(mean, _FURTHER**2 * (away.T * shares) @ away)
        return cls(Kernels.of(theta, shares, log_p), Student(wide))

    def push(self, x: Draws, random: np.random.Generator) -> Draws:
        """Turn noise into draws."""
        theta = np.empty_like(x)
        theta[::2], theta[1::2] = self.kernels.push(x[::2], random), self.wide.push(x[1::2], random)
        return theta

    def log_prob(self, theta: Draws) -> Each:
        """Evaluate the log density."""
        both = self.kernels.log_prob(theta), self.wide.log_prob(theta)
        return np.logaddexp(*both) - np.log(2.0)


Proposal = Student | Kernels | Defensive
