"""Ends a fit whose method says that it may."""

import numpy as np
from jaxtyping import PyTree

from taut.callbacks import AbstractObserver
from taut.method.auto_step import AutoStepState

# Steps between two looks.
_EVERY = 100


class Ending(AbstractObserver):
    """Lets another observer look, and ends the fit at a verdict or at the cap."""

    def __init__(self, observer: AbstractObserver, cap: int, begin: AutoStepState) -> None:
        self._observer, self._cap, self._verdicts = observer, cap, int(begin.verdicts)

    def next_look(self, done: int) -> int:
        return min(self._observer.next_look(done), (done // _EVERY + 1) * _EVERY, self._cap)

    def look(self, state: PyTree, losses: np.ndarray) -> None:
        self._observer.look(state, losses)
        if int(state.verdicts) > self._verdicts:
            raise StopIteration("Converged: " + _words(state))
        if len(losses) >= self._cap:
            raise StopIteration(f"Not converged in {len(losses):,d} steps: " + _words(state))


def _words(state: AutoStepState) -> str:
    return f"step size {float(state.rate):.3g}"
