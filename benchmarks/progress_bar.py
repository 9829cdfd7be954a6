"""What taut's progress bar costs."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median

from benchmarks.models import Case
from benchmarks.speed import enough_steps, refine_seconds, warm_advi

NAMES = ("gamma", "logistic")
GOAL = 0.02
_LEAST_SECONDS = 2.0
# What makes rich draw as it does in a terminal, wherever the output goes.
_TERMINAL = {"TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "1", "TERM": "xterm-256color"}


@dataclass
class BarCost:
    """Seconds of equally long runs without and with a progress bar, taken in turns."""

    steps: int
    without: list[float] = field(default_factory=list)
    shown: list[float] = field(default_factory=list)

    @property
    def cost(self) -> float:
        """The share of a run that the bar adds, in the median pair of runs."""
        pairs = zip(self.shown, self.without, strict=True)
        return median(shown / without for shown, without in pairs) - 1


def measure(case: Case, steps: int, seconds: float, repetitions: int) -> BarCost:
    """Time runs of at least two seconds; the order changes from pair to pair."""
    advi = warm_advi("taut", case.build(), steps)
    cost = BarCost(enough_steps(advi, max(seconds, _LEAST_SECONDS)))
    for repetition in range(repetitions):
        for shown in (False, True) if repetition % 2 else (True, False):
            with _terminal_to_nowhere():
                taken = refine_seconds(advi, cost.steps, progressbar=shown)
            (cost.shown if shown else cost.without).append(taken)
    return cost


@contextlib.contextmanager
def _terminal_to_nowhere() -> Iterator[None]:
    """Let rich believe in a terminal whose text nobody reads."""
    before = dict(os.environ)
    os.environ.update(_TERMINAL)
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            yield
    finally:
        for name in _TERMINAL:
            os.environ.pop(name, None)
        os.environ.update({k: v for k, v in before.items() if k in _TERMINAL})
