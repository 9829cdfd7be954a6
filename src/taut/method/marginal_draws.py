"""Draws of globals at which a marginal density is known, of all fits that came near it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np
import scipy
from jaxtyping import Float

from taut.diagnose import heavy_log_prob, heavy_noise
from taut.gaussian import DenseNormal
from taut.marginal import AbstractPoints, Estimate, Given, Integrand, Value
from taut.method.marginal_fit import Draws, MarginalFit, counted_values
from taut.method.problem import Problem

Each = Float[np.ndarray, " draws"]

# Weights beside the largest that make no kernel.
_NEGLIGIBLE = 1e-6
# How many times as wide, or narrow, a kernel is as the typical one.
_WIDER = 4.0
# Numbers of latents that are held of earlier draws.
_MOST = 20_000_000


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


Proposal = Student | Kernels


@final
@dataclass(frozen=True, eq=False)
class Round:
    """Draws of one proposal.

    Parameters
    ----------
    proposal
        Of what they are.
    theta
        The draws: the second half mirrors the first, where the proposal does.
    found
        The marginal density there.
    """

    proposal: Proposal
    theta: Draws
    found: Sequence[Value | Estimate]


@final
@dataclass(frozen=True, eq=False)
class Pool:
    r"""Draws of several rounds, as of the mixture of what they were drawn from.

    .. math:: g(\theta) = \sum_r \frac{n_r}{n} \, t_r(\theta)

    Parameters
    ----------
    rounds
        The draws of each.

    References
    ----------
    Cornuet, Marin, Mira, Robert (2012), Adaptive multiple importance sampling.
    """

    rounds: tuple[Round, ...] = ()

    @property
    def size(self) -> int:
        """Number of draws."""
        return sum(len(one.theta) for one in self.rounds)

    @property
    def theta(self) -> Draws:
        """The draws; the second half are pairs of the first."""
        halves = [np.split(one.theta, 2) for one in self.rounds]
        return np.concatenate([half for side in zip(*halves, strict=True) for half in side])

    @property
    def found(self) -> list[Value | Estimate]:
        """The marginal density at the draws."""
        found: list[Value | Estimate] = []
        for side in (0, 1):
            for one in self.rounds:
                half = len(one.found) // 2
                found.extend(one.found[side * half : (side + 1) * half])
        return found

    def log_proposal(self, theta: Draws) -> Each:
        """Evaluate the log density of the mixture."""
        each = [one.proposal.log_prob(theta) for one in self.rounds]
        shares = np.array([[len(one.theta)] for one in self.rounds]) / self.size
        return scipy.special.logsumexp(each, axis=0, b=shares)

    def add(self, new: Round) -> "Pool":
        """Return it with the draws of another round, and without the first where memory ends."""
        rounds = (*self.rounds, new)
        while len(rounds) > 1 and sum(map(_numbers, rounds)) > _MOST:
            rounds = rounds[1:]
        return Pool(rounds)


def draw(
    problem: Problem,
    integrand: Integrand,
    points: AbstractPoints | None,
    fit: MarginalFit,
    proposal: Proposal,
    draws: int,
    random: np.random.Generator,
) -> Round:
    """Draw globals, and evaluate the marginal density.

    Parameters
    ----------
    problem
        What is fitted.
    integrand
        The marginal density.
    points
        Integrate latents out that are not normal.
    fit
        Tells where latents are to be expected.
    proposal
        Is drawn from.
    draws
        How many.
    random
        Makes them.
    """
    theta = proposal.push(heavy_noise(random, draws, len(fit.origin)), random)
    if points is None:
        found = counted_values(problem, integrand, theta)
        return Round(proposal, theta, found)
    integral = points.near(Given(fit.center, fit.variances, fit.precision))
    estimates = []
    for one, middle in zip(theta, fit.middle(theta), strict=True):
        problem.gradients.check_time()
        problem.gradients.add(1)
        estimates.append(integral(one, middle))
    return Round(proposal, theta, estimates)


def _numbers(one: Round) -> int:
    return len(one.theta) * len(one.found[0].mean)
