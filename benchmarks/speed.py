"""Steps per second in steady state."""

import time
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.blas import faster_blas
from benchmarks.models import Case
from benchmarks.peers import PEERS, last_loss, warm_advi

# No repetition takes more steps than this, however short it is then.
_MOST_STEPS = 4_000_000
_PROBE_SECONDS = 0.1


@dataclass
class Speed:
    """How fast one library steps through one model.

    Parameters
    ----------
    steps
        Of one repetition.
    loss
        Mean of the last losses after the warm-up, which is equally long for all.
    seconds
        Of each repetition.
    blas_threads
        With how many BLAS threads each repetition ran; `None` for all there are.
    """

    steps: int
    loss: float
    seconds: list[float] = field(default_factory=list)
    blas_threads: list[int | None] = field(default_factory=list)

    @property
    def microseconds(self) -> float:
        """Of one step, in the median repetition."""
        return 1e6 * median(self.seconds) / self.steps

    @property
    def per_second(self) -> float:
        """Steps per second, in the median repetition."""
        return 1e6 / self.microseconds

    @property
    def spread(self) -> float:
        """Slowest minus fastest repetition, over the median."""
        return (max(self.seconds) - min(self.seconds)) / median(self.seconds)


def measure(case: Case, steps: int, seconds: float, repetitions: int) -> dict[str, Speed]:
    """Time `refine` of warm objects, the libraries taking turns.

    Parameters
    ----------
    case
        What is fitted.
    steps
        Of the warm-up, after which the losses are compared.
    seconds
        Least time of a repetition.
    repetitions
        Of each library.
    """
    warm, speeds = {}, {}
    for peer in PEERS:
        with faster_blas():
            warm[peer] = warm_advi(peer, case.build(), steps)
            loss = last_loss(peer, warm[peer].approx)
            speeds[peer] = Speed(enough_steps(warm[peer], seconds), loss)
    for _ in range(repetitions):
        for peer in PEERS:
            with faster_blas() as threads:
                speeds[peer].seconds.append(refine_seconds(warm[peer], speeds[peer].steps))
            speeds[peer].blas_threads.append(threads)
    return speeds


def enough_steps(advi: Any, seconds: float) -> int:
    """Find how many steps of a warm object take so long."""
    steps = 16
    while (taken := refine_seconds(advi, steps)) < min(_PROBE_SECONDS, seconds):
        if steps >= _MOST_STEPS:
            return _MOST_STEPS
        steps *= 4
    return min(_MOST_STEPS, max(1, round(1.1 * steps * seconds / taken)))


def refine_seconds(advi: Any, steps: int, progressbar: bool = False) -> float:
    """Time one call of `refine`."""
    begin = time.perf_counter()
    advi.refine(steps, progressbar=progressbar)
    return time.perf_counter() - begin
