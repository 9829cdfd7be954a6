"""What callbacks cost at every step: ``python -m benchmarks callbacks``."""

import argparse
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import taut
from benchmarks import machine
from benchmarks.arguments import positive, some_of
from benchmarks.models import CASES

# Milliseconds that a look may cost beyond the step itself.
GOAL = 0.1
_NAMES = ("gamma", "hierarchical", "logistic")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a Markdown table."""
    options = _parser().parse_args(arguments)
    print(machine.describe())
    print(f"| model | {' | '.join(KINDS)} |\n|{'---|' * (1 + len(KINDS))}")
    for name in options.models:
        taken = measure(name, options.steps, options.repetitions)
        print(f"| {name} | {' | '.join(f'{taken[kind]:.3f}' for kind in KINDS)} |", flush=True)


def measure(name: str, steps: int, repetitions: int) -> dict[str, float]:
    """Compute CPU milliseconds of a step for each kind of callbacks, the kinds taking turns."""
    model = CASES[name].build()
    fits = {kind: taut.ADVI(model=model, random_seed=1) for kind in KINDS}
    taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for repetition in range(1 + repetitions):
        for kind, advi in fits.items():
            begin = time.process_time()
            advi.fit(steps, callbacks=KINDS[kind](advi.approx), progressbar=False)
            # The first fit of each compiles.
            if repetition:
                taken[kind].append(1e3 * (time.process_time() - begin) / steps)
    return {kind: median(milliseconds) for kind, milliseconds in taken.items()}


def _none(approx: taut.Approximation) -> list[Any]:
    return []


def _plain(approx: taut.Approximation) -> list[Any]:
    return [lambda approx, losses, i: None]


def _tracker(approx: taut.Approximation) -> list[Any]:
    return [taut.callbacks.Tracker(mean=approx.mean.eval, std=approx.std.eval)]


def _check(approx: taut.Approximation) -> list[Any]:
    return [taut.callbacks.CheckParametersConvergence(every=1, tolerance=1e-300)]


def _parameters(approx: taut.Approximation) -> list[Any]:
    return [lambda approx, losses, i: approx.parameters]


KINDS: dict[str, Callable[[taut.Approximation], list[Any]]] = {
    "none": _none,
    "plain": _plain,
    "parameters": _parameters,
    "Tracker of mean and sd": _tracker,
    "CheckParametersConvergence": _check,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks callbacks", description=__doc__)
    add = parser.add_argument
    add("--models", type=some_of(CASES), default=list(_NAMES), help="names, with commas")
    add("--steps", type=positive, default=2_000, help="of a fit")
    add("--repetitions", type=positive, default=3)
    return parser
