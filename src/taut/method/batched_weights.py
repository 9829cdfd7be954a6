"""Importance weights of globals, by passes over batches of groups, judge and improve a fit."""

from dataclasses import dataclass
from typing import Self, final

import numpy as np
from jaxtyping import Float

from taut.diagnose import (
    BalancedWeights,
    Finding,
    Shifted,
    WeightCheck,
    at_most,
    criteria,
    failed,
    heavy_noise,
)
from taut.errors import NotFiniteError
from taut.gaussian import DenseNormal
from taut.marginal import BatchedMarginal
from taut.method.batched_first import moved_by_nodes, points_at_sides
from taut.method.marginal_draws import Pool, Round
from taut.method.marginal_latents import squares_moved
from taut.method.marginal_proposals import Defensive, Proposal, Student
from taut.method.marginal_weights import are_enough
from taut.target import Space

# Draws that are weighed, for each global unknown and at least.
_EACH, _FEWEST = 4, 64
# Share of the draws that is effective for a Gaussian, under which the next are around these.
_UNEVEN = 0.5


@final
@dataclass(frozen=True, eq=False)
class WeighedGlobals:
    """What weights say of a Gaussian of the globals.

    Parameters
    ----------
    normal
        The Gaussian.
    pool
        Draws at which the density is known.
    weights
        Of these.
    check
        How far they move means and spreads.
    by_nodes
        What twice the nodes move.
    """

    normal: DenseNormal
    pool: Pool
    weights: BalancedWeights
    check: WeightCheck
    by_nodes: tuple[Finding, ...]

    @classmethod
    def of(cls, normal: DenseNormal, pool: Pool, by_nodes: tuple[Finding, ...]) -> Self:
        """Weigh draws."""
        theta, log_p = pool.theta, pool.log_p
        if np.isneginf(log_p).all():
            raise NotFiniteError(
                "The density with latents integrated out is not finite at any draw."
            )
        weights = BalancedWeights.of(log_p, normal.log_prob(theta), pool.log_proposal(theta))
        away, own = theta - normal.mean, normal.std**2
        second = squares_moved(weights, away, away, own)
        shifted = Shifted.of(weights.difference(away, away), second, own)
        check = WeightCheck(
            shifted.mean, shifted.log_sd, shifted.noise, shifted.log_sd_noise,
            weights.weights, weights.share,
        )  # fmt: skip
        return cls(normal, pool, weights, check, by_nodes)

    def wrong(self, space: Space) -> tuple[Finding, ...]:
        """Return the criteria that the Gaussian does not meet."""
        bounds, weights = criteria.CRITERIA, self.check.weights
        is_exact = self.weights.divergence < bounds.exact_divergence
        is_sure = self.check.is_reliable or (is_exact and self.check.is_known)
        uneven = (
            f"weights of the globals are too uneven to judge: k-hat {weights.khat:.2f} (bound "
            f"{bounds.khat:.2f}), {weights.ess:.0f} of {self.pool.size} draws effective"
        )
        return failed((*self.check.findings(space), Finding("khat", is_sure, uneven)))

    @property
    def are_enough(self) -> bool:
        """Whether the draws, by their weights, are a result themselves."""
        return are_enough(self.check.weights, self.pool.theta)

    @property
    def better(self) -> DenseNormal:
        """The Gaussian with what the weights move."""
        found = self.check.improve(self.normal)
        assert isinstance(found, DenseNormal)
        return found

    def proposal(self) -> Proposal:
        """What the next draws come from."""
        effective = self.check.weights.ess / self.pool.size / self.weights.share
        if effective > _UNEVEN:
            return Student(self.better)
        return Defensive.of(self.pool.theta, self.check.weights.weights, self.pool.log_p)

    @property
    def words(self) -> str:
        """How even the weights are."""
        of, weights = self.pool.size, self.check.weights
        return f"{weights.ess:.0f} of {of} draws are effective, k-hat {weights.khat:.2f}"


def weighed(
    marginal: BatchedMarginal,
    normal: DenseNormal,
    before: WeighedGlobals | None,
    space: Space,
    random: np.random.Generator,
) -> WeighedGlobals:
    """Weigh draws of the globals by one pass over all rows, with those of the passes before.

    Parameters
    ----------
    marginal
        The density.
    normal
        Is judged.
    before
        What was weighed before, if anything was.
    space
        Names the globals.
    random
        Makes the draws.
    """
    pool = Pool() if before is None else before.pool
    proposal = Student(normal) if before is None else before.proposal()
    draws = max(_FEWEST, _EACH * len(normal.mean), pool.size)
    theta = proposal.push(heavy_noise(random, draws, len(normal.mean)), random)
    sides = points_at_sides(normal)[: 0 if marginal.is_normal else None]
    points = np.concatenate([sides, theta])
    values, _, more = marginal.sums(points, np.zeros(len(points), bool), range(len(sides)))
    log_p = np.where(np.isfinite(values), values, -np.inf)
    round_ = Round(proposal, theta, log_p[len(sides) :], ())
    by_nodes = _by_nodes(normal, more - values[: len(sides)], space) if len(sides) else ()
    return WeighedGlobals.of(normal, pool.add(round_), by_nodes)


def _by_nodes(
    normal: DenseNormal, more: Float[np.ndarray, " points"], space: Space
) -> tuple[Finding, ...]:
    """Compare the globals with those of twice the nodes, of all groups."""
    bounds = criteria.CRITERIA
    mean, spread = (np.where(np.isfinite(m), m, np.inf) for m in moved_by_nodes(normal, more))
    moved = "twice the nodes move a mean by {:.2f} sd (bound {:.2f})"
    widened = "twice the nodes move a log sd by {:.2f} (bound {:.2f})"
    return failed((
        at_most("mean_shift", moved, mean, np.full(space.dim, bounds.mean_shift), space),
        at_most("log_sd_shift", widened, spread, np.full(space.dim, bounds.log_sd_shift), space),
    ))  # fmt: skip
