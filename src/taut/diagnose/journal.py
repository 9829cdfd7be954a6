"""What a fit did, stage by stage."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from taut.chains import Chains, Window
from taut.diagnose.budget import More, more_of
from taut.diagnose.check import check
from taut.diagnose.finding import Finding, failed
from taut.diagnose.repair import outcome_of, repair
from taut.diagnose.shift import ChainCheck, Moments, shift_of
from taut.diagnose.verdict import Outcome, Verdict
from taut.gaussian import Normal
from taut.gradients import AbstractGradients


@dataclass
class Stage:
    """One stage of a fit.

    Parameters
    ----------
    name
        What was done.
    gradients
        Evaluations it took.
    seconds
        How long, compilation included.
    elbo
        What was reached, in nats, from few draws; not finite where that is not known.
    note
        What else is to be said.
    """

    name: str
    gradients: int = 0
    seconds: float = 0.0
    elbo: float = np.nan
    note: str = ""

    def __str__(self) -> str:
        elbo = "" if not np.isfinite(self.elbo) else f", ELBO {self.elbo:.2f}"
        note = f"; {self.note}" if self.note else ""
        return f"{self.name}: {self.gradients:,d} gradients, {self.seconds:.2f} s{elbo}{note}"


# Of criteria whose failure is that of what was fitted, not of the chains that judge it.
_OF_SHIFTS = ("mean_shift", "log_sd_shift")
# Outcomes whose result is a Gaussian, or a mixture, of the stages.
_OF_STAGES = (
    *(Outcome.EXACT, Outcome.WEIGHED, Outcome.CHECKED, Outcome.MIXED, Outcome.UNCERTAIN),
    *(Outcome.UNCHECKED, Outcome.INTERRUPTED),
)


@dataclass
class Journal:
    """The stages of a fit, and what its diagnosis will want to know of them.

    Parameters
    ----------
    stages
        In the order in which they were run.
    check
        What short chains shifted, if any were run: from `q` where that is the result, and between
        the last rounds of repair where the draws of the chains are.
    modes
        Places at which starts ended up that are far from one another, count, and have a dip of the
        density between them.
    starts
        Starts that came to the result, and how many there were.
    outcome
        How it came out; `None` for fits that do not check themselves.
    failed
        The criteria that its result does not meet.
    jumps
        Where the density is known to have jumps, plateaus, or an edge that moves, in words.
    """

    stages: list[Stage] = field(default_factory=list)
    check: ChainCheck | None = None
    modes: int = 1
    starts: tuple[int, int] = (0, 0)
    outcome: Outcome | None = None
    failed: tuple[Finding, ...] = ()
    jumps: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The verdict, with the criteria that failed."""
        outcome = Outcome.NOT_CHECKED if self.outcome is None else self.outcome
        return outcome.verdict.because_of(self.failed)

    @property
    def gradients(self) -> int:
        """Evaluations in all stages."""
        return sum(stage.gradients for stage in self.stages)

    @property
    def elbo(self) -> float | None:
        """The best of the stages, in nats; `None` where the result is no Gaussian of theirs."""
        known = [stage.elbo for stage in self.stages if np.isfinite(stage.elbo)]
        return max(known) if known and self.outcome in _OF_STAGES else None

    @property
    def now(self) -> str:
        """Where a fit stands, for its bar: the last stage, whether it is through, what it found."""
        if not self.stages:
            return ""
        last = self.stages[-1]
        done = f"{last.name} is done" if last.seconds else last.name
        return f"{done}, ELBO {last.elbo:.2f}" if np.isfinite(last.elbo) else done

    def copy(self) -> "Journal":
        """Return one that can be written in alone."""
        return replace(self, stages=list(self.stages))

    def conclude(self, outcome: Outcome, wrong: tuple[Finding, ...] = ()) -> Outcome:
        """Write down how it came out, and which criteria failed."""
        self.outcome, self.failed = outcome, wrong
        return outcome

    def judge(
        self,
        gradients: AbstractGradients,
        normal: Normal,
        draws: Float[np.ndarray, "draws dim"],
        random: np.random.Generator,
        moments: Moments | None = None,
    ) -> Chains:
        """Run short chains from draws of `q`, and write down what they shift.

        Parameters
        ----------
        gradients, normal, draws, random, moments
            As in `taut.diagnose.check.check`.
        """
        with self.stage("check by short chains", gradients) as stage:
            self.check, chains = check(
                gradients, normal, draws, random, moments, may_jump=bool(self.jumps)
            )
            stage.note = "moves a mean by {:.2f} sd, a log sd by {:.2f}".format(*self.check.largest)
        wrong = failed(self.check.of_approximation(gradients.target.space))
        moved = any(finding.criterion in _OF_SHIFTS for finding in wrong)
        outcome = Outcome.MOVED if moved else Outcome.UNCONFIRMED
        self.conclude(outcome if wrong else Outcome.CHECKED, wrong)
        return chains

    def repair(self, gradients: AbstractGradients, chains: Chains) -> Iterator[Window]:
        """Go on with the chains of a check; each window is compared with one before.

        One that is good but for the number of its draws, or its noise, is gone on with.
        """
        assert self.check is not None
        space = gradients.target.space
        rounds = repair(chains, self.check.window, may_jump=bool(self.jumps))
        more: More | None = None
        while True:
            with self.stage("repair by chains", gradients) as stage:
                done = rounds.send(more)
                window, before = done.window, done.before
                stage.note = f"each chain is worth {window.draws_each.min():.1f} draws"
            moments = Moments.known(before.corrected.mean(axis=0), before.corrected.std(axis=0))
            moved = shift_of(moments, done.later, may_jump=bool(self.jumps))
            self.check = replace(moved, window=window)
            self.conclude(*outcome_of(self.check, before, space))
            yield window
            assert self.outcome is not None
            more = more_of(self.outcome, self.failed, window, max(self.check.largest))

    @contextmanager
    def stage(self, name: str, gradients: AbstractGradients) -> Iterator[Stage]:
        """Write down a stage, with what it cost."""
        stage = Stage(name)
        self.stages.append(stage)
        count, begin = gradients.count, time.perf_counter()
        try:
            yield stage
        finally:
            stage.gradients = gradients.count - count
            stage.seconds = time.perf_counter() - begin
