"""What a fit did, stage by stage."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from taut.chains import Chains, Window
from taut.diagnose.check import ChainCheck, check, outcome_of, repair, shift_of
from taut.diagnose.verdict import Outcome
from taut.gradients import AbstractGradients
from taut.normal import Normal


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
        What was reached, in nats, from few draws; NaN where there is none.
    note
        What else is to be said.
    """

    name: str
    gradients: int = 0
    seconds: float = 0.0
    elbo: float = np.nan
    note: str = ""

    def __str__(self) -> str:
        elbo = "" if np.isnan(self.elbo) else f", ELBO {self.elbo:.2f}"
        note = f"; {self.note}" if self.note else ""
        return f"{self.name}: {self.gradients:,d} gradients, {self.seconds:.2f} s{elbo}{note}"


_OF_STAGES = (Outcome.EXACT, Outcome.CHECKED, Outcome.MIXED, Outcome.UNCERTAIN, Outcome.UNCHECKED)


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
    """

    stages: list[Stage] = field(default_factory=list)
    check: ChainCheck | None = None
    modes: int = 1
    starts: tuple[int, int] = (0, 0)
    outcome: Outcome | None = None

    @property
    def gradients(self) -> int:
        """Evaluations in all stages."""
        return sum(stage.gradients for stage in self.stages)

    @property
    def elbo(self) -> float | None:
        """The best of the stages, in nats; `None` where the result is no Gaussian of theirs."""
        known = [stage.elbo for stage in self.stages if np.isfinite(stage.elbo)]
        return max(known) if known and self.outcome in _OF_STAGES else None

    def copy(self) -> "Journal":
        """Give one that can be written in alone."""
        return replace(self, stages=list(self.stages))

    def judge(
        self,
        gradients: AbstractGradients,
        normal: Normal,
        draws: Float[np.ndarray, "draws dim"],
        random: np.random.Generator,
    ) -> Chains:
        """Run short chains from draws of `q`, and write down what they shift."""
        with self.stage("check by short chains", gradients) as stage:
            self.check, chains = check(gradients, normal, draws, random)
            stage.note = "moves a mean by {:.2f} sd, a log sd by {:.2f}".format(*self.check.largest)
        return chains

    def repair(self, gradients: AbstractGradients, chains: Chains) -> Iterator[Window]:
        """Go on with the chains of a check; each window is compared with the one before."""
        assert self.check is not None
        window = self.check.window
        rounds = repair(chains, window)
        while True:
            before = window
            with self.stage("repair by chains", gradients) as stage:
                window = next(rounds)
                stage.note = f"R-hat {window.rhat.max():.2f}"
            mean, std = before.corrected.mean(axis=0), before.corrected.std(axis=0)
            self.check = shift_of(mean, std, window)
            self.outcome = outcome_of(self.check, before)
            yield window

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
