"""What a fit did, stage by stage."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from taut.diagnose.check import ChainCheck
from taut.diagnose.verdict import Outcome
from taut.gradients import Gradients


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
        Places at which starts ended up that are far from one another and count.
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

    @contextmanager
    def stage(self, name: str, gradients: Gradients) -> Iterator[Stage]:
        """Write down a stage, with what it cost."""
        stage = Stage(name)
        self.stages.append(stage)
        count, begin = gradients.count, time.perf_counter()
        try:
            yield stage
        finally:
            stage.gradients = gradients.count - count
            stage.seconds = time.perf_counter() - begin
