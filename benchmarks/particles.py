"""Time SVGD and expressions against PyMC's: ``python -m benchmarks.particles``."""

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.models import CASES, SEED
from benchmarks.peers import PEERS, load


def main() -> None:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--particles", default="100,500,2000", help="numbers, with commas")
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    console = Console(width=100)
    console.print(_svgd([int(n) for n in options.particles.split(",")], options.repetitions))
    console.print(_expressions())


def _svgd(counts: list[int], repetitions: int) -> Table:
    table = Table("particles", "taut ms/step", "pm.fit ms/step", "ratio", "goal",
                  title="SVGD on eight schools, in steady state")  # fmt: skip
    for count in counts:
        steppers = {peer: _stepper(peer, count) for peer in PEERS}
        seconds: dict[str, list[float]] = {peer: [] for peer in PEERS}
        for _ in range(repetitions):
            for peer, step in steppers.items():
                seconds[peer].append(_milliseconds(step))
        ours, theirs = median(seconds["taut"]), median(seconds["pymc"])
        table.add_row(str(count), f"{ours:.2f}", f"{theirs:.2f}", f"{theirs / ours:.1f}x", "10x")
    return table


def _stepper(peer: str, count: int) -> Callable[[int], Any]:
    """Make a compiled SVGD that takes more steps when it is called."""
    library = load(peer)
    with CASES["eight_schools"].build():
        svgd = library.SVGD(n_particles=count, random_seed=SEED)
    svgd.fit(2, progressbar=False, obj_optimizer=library.sgd(learning_rate=1e-3))
    return lambda steps: svgd.refine(steps, progressbar=False)


def _milliseconds(step: Callable[[int], Any]) -> float:
    """Time a step, over as many as take about a second."""
    begin = time.perf_counter()
    step(3)
    each = (time.perf_counter() - begin) / 3
    steps = max(3, int(1.0 / each))
    begin = time.perf_counter()
    step(steps)
    return 1e3 * (time.perf_counter() - begin) / steps


def _expressions() -> Table:
    table = Table("", "first, s", "again, ms", title="theta² of eight schools at 1000 draws")
    model = CASES["eight_schools"].build()
    approx = load("taut").fit(1000, model=model, random_seed=SEED, progressbar=False)
    square = (model["mu"] + model["tau"] * model["z"]) ** 2
    sampled = approx.sample_node(square, size=1000)
    for name, call in {
        "evaluate": lambda: approx.evaluate(square, draws=1000),
        "sample_node(...).eval()": sampled.eval,
    }.items():
        begin = time.perf_counter()
        call()
        first = time.perf_counter() - begin
        begin = time.perf_counter()
        call()
        table.add_row(name, f"{first:.2f}", f"{1e3 * (time.perf_counter() - begin):.2f}")
    return table


if __name__ == "__main__":
    main()
