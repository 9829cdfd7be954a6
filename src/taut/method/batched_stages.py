"""The stages of a fit whose latents are integrated out in batches of groups."""

from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import final

import numpy as np

from taut.diagnose import Finding, Outcome, failed
from taut.family import Particles
from taut.marginal import BatchedMarginal
from taut.method.batched_first import by_starts, enough_nodes, first_of
from taut.method.batched_fit import Reached, counting
from taut.method.batched_steps import exact_step, steps
from taut.method.batched_weights import WeighedGlobals, weighed
from taut.method.marginal_weights import alike_of
from taut.method.problem import Iterate, Problem

# Standard deviations that a last exact step may go, where there is a pass for another.
_SETTLED = 1.0
_MIXED = "groups in a random order, since theirs tells something of them"
# Draws by weights.
_PARTICLES = 8192


@final
class Stages:
    """A fit by few passes over the rows.

    Parameters
    ----------
    problem
        What is fitted.
    marginal
        The density.
    passes
        How often rows may be read.
    random
        Decides starts and draws.
    """

    def __init__(
        self,
        problem: Problem,
        marginal: BatchedMarginal,
        passes: int,
        random: np.random.Generator,
    ) -> None:
        self._problem, self._marginal, self._groups = problem, marginal, marginal.rows.groups
        self._passes, self._random = passes, random
        self._space = problem.gradients.target.space

    def run(self) -> Generator[Iterate, None, Outcome]:
        """Fit the globals, and let weights judge them; yield what is reached."""
        reached, doubts, is_mixed = yield from self._by_steps()
        if not is_mixed:
            with self._problem.journal.stage(_MIXED, self._problem.gradients):
                self._passes = self._marginal.passes + self._marginal.rows.mix(self._random)
            reached, doubts, _ = yield from self._by_steps()
        yield from self._exactly(reached)
        outcome = yield from self._weighed(self._reached, doubts)
        return outcome

    @property
    def _left(self) -> int:
        """Passes that are left."""
        return self._passes - self._marginal.passes

    def _by_steps(self) -> Generator[Iterate, None, tuple[Reached, tuple[Finding, ...], bool]]:
        problem, marginal = self._problem, self._marginal
        batches = marginal.batches()
        with problem.journal.stage("paths by the first batch", problem.gradients) as stage:
            with counting(problem, marginal):
                batch, field = next(batches)
                marginal.look_at(field)
                first = first_of(problem, marginal, field, batch.groups, self._random)
                enough_nodes(marginal, field, first.reached, self._groups)
                theta = first.reached.normal.mean
                starts = by_starts(marginal, field, theta, self._random)
            stage.note = f"{batch.groups:,d} of {self._groups:,d} {marginal.words}"
        problem.journal.starts = first.agree, first.paths
        yield first.reached.iterate(problem)
        words = f"{first.others} of {first.paths} paths end at another mode of the globals"
        doubts = failed((Finding("mean_shift", not first.others, words), starts))
        stage = problem.journal.stage("averaged steps, by one pass", problem.gradients)
        with stage, counting(problem, marginal):
            may_stop = marginal.rows.may_mix
            reached, is_mixed = steps(marginal, first.reached, batches, may_stop=may_stop)
        yield reached.iterate(problem)
        return reached, doubts, is_mixed

    def _exactly(self, reached: Reached) -> Iterator[Iterate]:
        """Take exact steps until one is short, as long as a pass is left for the weights."""
        problem, moved = self._problem, np.inf
        self._reached = reached
        while moved > _SETTLED and self._left > 1:
            with problem.journal.stage("an exact step, by one pass", problem.gradients) as stage:
                with counting(problem, self._marginal):
                    self._reached, moved = exact_step(self._marginal, self._reached)
                stage.note = f"moves the globals by {moved:.2f} sd"
            yield self._reached.iterate(problem)

    def _weighed(
        self, reached: Reached, doubts: tuple[Finding, ...]
    ) -> Generator[Iterate, None, Outcome]:
        journal, normal = self._problem.journal, reached.normal
        before: WeighedGlobals | None = None
        while True:
            with journal.stage("importance weights, by one pass", self._problem.gradients) as stage:
                with counting(self._problem, self._marginal):
                    found = weighed(self._marginal, normal, before, self._space, self._random)
                stage.elbo, stage.note = found.weights.elbo, found.words
            normal = found.better
            better = WeighedGlobals.of(normal, found.pool, found.by_nodes)
            wrong = (better if found.check.is_reliable else found).wrong(self._space)
            iterate = replace(reached, normal=normal).iterate(self._problem, -found.weights.elbo)
            if wrong and found.are_enough:
                iterate, wrong = replace(iterate, family=self._particles(found)), ()
            yield iterate
            doubted = (*doubts, *found.by_nodes, *wrong)
            if not (found.by_nodes or wrong) or not self._left:
                break
            before = found
            if found.by_nodes and self._marginal.refine():
                before = None
        return journal.conclude(Outcome.NOT_CONFIRMED if doubted else Outcome.INTEGRATED, doubted)

    def _particles(self, found: WeighedGlobals) -> Particles:
        """Draw globals by their weights."""
        share = found.check.weights.weights
        kept = alike_of(found.pool.theta, share, _PARTICLES, self._random.random())
        return Particles(kept.astype(self._problem.gradients.target.dtype))
