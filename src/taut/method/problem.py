"""What a method that ends by itself asks for, works on, and yields."""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from taut.diagnose import Journal
from taut.engine import Devices
from taut.family import AbstractFamily
from taut.gradients import AbstractGradients, Draft
from taut.matching import Matched
from taut.method.grouped_problem import GroupedProblem
from taut.modes import Starts
from taut.target import Factors


@final
@dataclass(frozen=True)
class Needs:
    """What a method asks of its driver.

    Parameters
    ----------
    finite_start
        A density that is finite where it begins.
    judgement
        A verdict, which it gives itself, in stages of its own.
    draft
        A part of the rows to look at first, where there are many or they come in batches.
    rows_in_memory
        All rows at once, since it takes second derivatives.
    rows_alone
        Whether devices have an effect by the rows that are spread over them alone; else on what
        the method does by itself, and rows stay together.
    by_groups
        Batches of whole groups, and an approximation of the globals alone.
    """

    finite_start: bool = True
    judgement: bool = False
    draft: bool = False
    rows_in_memory: bool = False
    rows_alone: bool = True
    by_groups: bool = False


@final
@dataclass(frozen=True)
class Problem:
    """What a direct method works on.

    Parameters
    ----------
    gradients
        The log density and its gradient; `gradients.target` is what is approximated.
    start
        Where to begin, in the unconstrained space.
    random
        Decides all that is random.
    longest
        Iterations after which it is ended.
    begun
        When the fit began, by `time.perf_counter`.
    deadline
        When it is ended, by the same clock.
    starts
        Where paths begin, if the method follows several.
    draft
        A part of the rows to look at first, if there is one.
    journal
        Where a method writes down what it did.
    factors
        Finds the terms that the density sums; `None` where they can not be told apart.
    devices
        Those there are, where they are more than one, or another than the first.
    grouped
        The model on batches of groups, where that is what is fitted.
    """

    gradients: AbstractGradients
    start: np.ndarray
    random: np.random.Generator
    longest: int
    begun: float
    deadline: float
    starts: Starts
    draft: Draft | None = None
    journal: Journal = field(default_factory=Journal)
    factors: Callable[[], Factors | None] = lambda: None
    devices: Devices | None = None
    grouped: GroupedProblem | None = None

    @property
    def is_late(self) -> bool:
        """Whether there is no time left."""
        return not self.has_time_for(0)

    def has_time_for(self, gradients: int) -> bool:
        """Whether there is time left for so many gradients."""
        seconds = gradients * self.gradients.seconds_each if gradients else 0.0
        return time.perf_counter() + seconds < self.deadline


@final
@dataclass(frozen=True)
class Iterate:
    """What a direct method has reached.

    Parameters
    ----------
    family
        The best approximation so far.
    loss
        Negative ELBO, or what else the method minimises, of this iteration.
    """

    family: AbstractFamily
    loss: float


def iterates[R](
    steps: Generator[R, None, str], as_iterate: Callable[[R], Iterate]
) -> Generator[Iterate, None, str]:
    """Hand on what an algorithm reaches, as iterates; return why it ends."""
    while True:
        try:
            reached = next(steps)
        except StopIteration as stop:
            return stop.value
        yield as_iterate(reached)


def matched(steps: Generator[Matched[Any], None, str], dtype: str) -> Generator[Iterate, None, str]:
    """Hand on Gaussians that are matched to scores, each with the ELBO of the one before."""
    return iterates(steps, lambda m: Iterate(m.normal.family(dtype), -m.elbo))
