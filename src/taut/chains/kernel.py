"""What makes transitions, one after another, and records them."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple, final

import numpy as np
from jaxtyping import Float

from taut.chains.coordinates import Coordinates, Points
from taut.chains.transition import (
    ChainState,
    End,
    Noise,
    acceptance,
    leaps_of,
    transition,
    usable,
)
from taut.gradients import AbstractGradients

# How fast the step size follows.
_RATE = 0.15


class Tuning(NamedTuple):
    """How far transitions go, and in what steps.

    Parameters
    ----------
    log_step
        Logarithm of the step size, which follows the acceptance.
    travel
        How far a transition goes.
    acceptance
        What share of proposals chains should accept.
    """

    log_step: Any
    travel: Any
    acceptance: Any


class Record(NamedTuple):
    """What chains did in some transitions, along the first axis of every array.

    Parameters
    ----------
    state
        Where they were after each.
    end
        How each ended.
    """

    state: ChainState
    end: End


class Kernel(ABC):
    """Makes transitions of chains in some coordinates."""

    # Transitions of one call, at most.
    together: int

    @abstractmethod
    def advance(
        self, state: ChainState, tuning: Tuning, noise: list[Noise]
    ) -> tuple[Tuning, Record]:
        """Make a transition for each noise; the step size is adapted after each."""


@final
class HostKernel(Kernel):
    """Transitions in NumPy around a program for gradients.

    Nothing is compiled but what a fit has compiled already, which is quicker for few transitions,
    and for many where a gradient takes long.

    Parameters
    ----------
    gradients
        Of the log density.
    coordinates
        In which chains move.
    """

    together = 1

    def __init__(self, gradients: AbstractGradients, coordinates: Coordinates) -> None:
        self._gradients, self._coordinates = gradients, coordinates

    def advance(
        self, state: ChainState, tuning: Tuning, noise: list[Noise]
    ) -> tuple[Tuning, Record]:
        records = []
        for one in noise:
            step = float(np.exp(tuning.log_step))
            with np.errstate(all="ignore"):
                state, end = transition(
                    state, one, step, int(leaps_of(tuning.travel, step, np)),
                    self._evaluate, self._coordinates, _in_python,
                )  # fmt: skip
            records.append(Record(state, end))
            tuning = retuned(tuning, acceptance(end))
        return tuning, _stacked(records)

    def _evaluate(self, z: Points) -> tuple[Float[np.ndarray, " chains"], Points]:
        return usable(*self._gradients(z))


def retuned(tuning: Tuning, accepted: Any) -> Tuning:
    """Return a step size that is nearer to the wanted acceptance."""
    return tuning._replace(log_step=tuning.log_step + _RATE * (accepted - tuning.acceptance))


def _in_python(count: int, body: Any, start: Any) -> Any:
    for i in range(count):
        start = body(i, start)
    return start


def _stacked(records: list[Record]) -> Record:
    states, ends = zip(*records, strict=True)
    return Record(
        ChainState(*(np.stack(parts) for parts in zip(*states, strict=True))),
        End(*(np.stack(parts) for parts in zip(*ends, strict=True))),
    )
