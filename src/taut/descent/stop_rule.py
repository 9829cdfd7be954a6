"""Ends a fit of `AutoStep` when it says so, and tells why."""

import numpy as np
from jaxtyping import PyTree

from taut import errors
from taut.callbacks import AbstractObserver
from taut.descent.auto_step import AutoStepState

# Steps between two looks; half of the shortest window, so that little is done beyond a verdict.
_EVERY = 100


class StopRule(AbstractObserver):
    """Lets another observer look, and ends the fit at a verdict or at the cap.

    Parameters
    ----------
    observer
        Looks first.
    cap
        Steps after which the fit ends in any case.
    verdicts
        How many there were when the fit began; only those that come after count.
    """

    def __init__(self, observer: AbstractObserver, cap: int, verdicts: int) -> None:
        self._observer, self._cap, self._verdicts = observer, cap, verdicts

    def next_look(self, done: int) -> int:
        return min(self._observer.next_look(done), (done // _EVERY + 1) * _EVERY, self._cap)

    def look(self, state: PyTree, losses: np.ndarray) -> None:
        self._observer.look(state, losses)
        if int(state.verdicts) > self._verdicts:
            raise StopIteration(
                f"converged at step size {float(state.estimate_step_size):.3g}: the average of "
                f"the iterates moved by {float(state.moved):.2g} standard deviations since the "
                "step size before"
            )
        if len(losses) >= self._cap:
            reason = (
                f"reached the cap of {self._cap:,d} steps before it converged, at step size "
                f"{float(state.step_size):.3g}"
            )
            errors.warn(f"The fit {reason}: {_advice(state)} Go on with `.refine(n)`.")
            raise StopIteration(reason)


def _advice(state: AutoStepState) -> str:
    if int(state.averages) == 0:
        return "its iterates are not stationary yet, and it keeps the last one."
    if int(state.averages) == 1:
        return "it keeps the average of the iterates at the first step size."
    return f"its last two averages are {float(state.moved):.2g} standard deviations apart."
