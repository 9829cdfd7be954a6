"""Draws of globals at which a marginal density is known, of all fits that came near it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, final

import numpy as np
import scipy
from jaxtyping import Float

from taut.diagnose import heavy_noise
from taut.marginal import AbstractPoints, Estimate, Given, Integrand, Value
from taut.method.marginal_fit import Draws, MarginalFit, counted_values
from taut.method.marginal_proposals import Defensive, Proposal
from taut.method.problem import Problem

Each = Float[np.ndarray, " draws"]

# Numbers of latents that are held, and draws whose latents are in any case.
_MOST, _FEWEST = 20_000_000, 64


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
    log_p
        The marginal log density there, which is minus infinity where it is not finite.
    found
        All that is known there; empty where that would not fit into memory.
    """

    proposal: Proposal
    theta: Draws
    log_p: Each
    found: Sequence[Value | Estimate]

    @classmethod
    def of(cls, proposal: Proposal, theta: Draws, found: Sequence[Value | Estimate]) -> Self:
        """Keep all that was found at the draws of a proposal."""
        log_p = np.array([one.value for one in found])
        log_p[~np.isfinite(log_p)] = -np.inf
        return cls(proposal, theta, log_p, found)


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
        return np.concatenate(_paired([one.theta for one in self.rounds]))

    @property
    def log_p(self) -> Each:
        """The marginal log density at the draws."""
        return np.concatenate(_paired([one.log_p for one in self.rounds]))

    @property
    def found(self) -> list[Value | Estimate]:
        """What is known at the draws, where all of that is held."""
        return [one for part in _paired([one.found for one in self.rounds]) for one in part]

    @property
    def is_bent(self) -> bool:
        """Whether some draws are around others: no Gaussian was near enough."""
        return any(isinstance(one.proposal, Defensive) for one in self.rounds)

    @property
    def held(self) -> "Pool":
        """The last rounds, of which all that was found is held."""
        return Pool(tuple(one for one in self.rounds if one.found))

    def log_proposal(self, theta: Draws) -> Each:
        """Evaluate the log density of the mixture."""
        # Rounds may be parts of one, which share their proposal.
        counts: dict[Proposal, int] = {}
        for one in self.rounds:
            counts[one.proposal] = counts.get(one.proposal, 0) + len(one.theta)
        each = [proposal.log_prob(theta) for proposal in counts]
        shares = np.array([[count] for count in counts.values()]) / self.size
        return scipy.special.logsumexp(each, axis=0, b=shares)

    def add(self, new: Round) -> "Pool":
        """Return it with the draws of another round, and less of the first where memory ends."""
        rounds = [*self.rounds, new]
        for i, one in enumerate(self.rounds):
            if sum(map(_numbers, rounds)) <= _MOST:
                break
            rounds[i] = replace(one, found=())
        return Pool(tuple(rounds))


def _paired(parts: list[Any]) -> list[Any]:
    """Cut each part into halves, and put the first halves of all before the second."""
    return [part[: len(part) // 2] for part in parts] + [part[len(part) // 2 :] for part in parts]


def draw(
    problem: Problem,
    integrand: Integrand,
    points: AbstractPoints | None,
    fit: MarginalFit,
    proposal: Proposal,
    draws: int,
    random: np.random.Generator,
) -> Iterator[Round]:
    """Draw globals, and evaluate the marginal density, in parts that fit into memory.

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
    most = max(2 * (_MOST // integrand.field.size // 2), _FEWEST)
    for begin in range(0, draws, most):
        count = min(most, draws - begin)
        theta = proposal.push(heavy_noise(random, count, len(fit.origin)), random)
        yield Round.of(proposal, theta, _evaluated(problem, integrand, points, fit, theta))


def _evaluated(
    problem: Problem,
    integrand: Integrand,
    points: AbstractPoints | None,
    fit: MarginalFit,
    theta: Draws,
) -> Sequence[Value | Estimate]:
    """Evaluate the marginal density at draws."""
    if points is None:
        return counted_values(problem, integrand, theta)
    integral = points.near(Given(fit.center, fit.variances, fit.precision))
    estimates = []
    for one, middle in zip(theta, fit.middle(theta), strict=True):
        problem.gradients.check_time()
        problem.gradients.add(1)
        estimates.append(integral(one, middle))
    return estimates


def _numbers(one: Round) -> int:
    return len(one.theta) * len(one.found[0].mean) if one.found else 0
