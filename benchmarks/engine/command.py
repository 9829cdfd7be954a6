"""``python -m benchmarks engine``: steps per second, from 2 to 10 000 dimensions and 1e6 rows."""

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import jax
from rich.console import Console

from benchmarks import machine
from benchmarks.arguments import positive, some_of
from benchmarks.engine.contestants import CONTESTANTS, FLOORS, Stepper
from benchmarks.engine.problems import PROBLEMS, Problem

# How many times as long as one of the loop written by hand a step of taut may take.
GOAL = 2.0
_MOST_STEPS = 2_000_000


@dataclass(frozen=True)
class Pace:
    """How fast one contestant steps through one problem.

    Parameters
    ----------
    problem, dim, rows, contestant
        Who, and through what.
    compile_seconds
        From the model to a program that steps.
    microseconds
        Of a step: the median repetition.
    fastest
        The fastest repetition, which other programs have slowed least.
    """

    problem: str
    dim: int
    rows: int
    contestant: str
    compile_seconds: float
    microseconds: float
    fastest: float


def main(arguments: Sequence[str]) -> None:
    """Measure, print a Markdown table, and keep every figure."""
    options = _parser().parse_args(arguments)
    jax.config.update("jax_enable_x64", True)
    console, paces = Console(stderr=True), []
    for make in PROBLEMS:
        problem = make()
        if problem.rows > options.rows or problem.dim > options.dim:
            continue
        console.print(problem.name, style="dim")
        paces += measure(problem, options.contestants, options.seconds, options.repetitions)
    print(table(paces))
    if options.json:
        told = {"machine": machine.describe(), "paces": [asdict(pace) for pace in paces]}
        options.json.write_text(json.dumps(told, indent=1) + "\n")


def measure(
    problem: Problem, contestants: Sequence[str], seconds: float, repetitions: int
) -> list[Pace]:
    """Time all contestants on one problem, taking turns."""
    import taut

    # Programs that are found on disk would compile in no time.
    taut.set_cache_directory(None)
    steppers = {name: CONTESTANTS[name](problem) for name in contestants}
    steps = {name: enough_steps(stepper, seconds) for name, stepper in steppers.items()}
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repetitions):
        for name, stepper in steppers.items():
            taken[name].append(1e6 * step_seconds(stepper, steps[name]))
    return [
        Pace(problem.name, problem.dim, problem.rows, name, steppers[name].compile_seconds,
             median(taken[name]), min(taken[name]))
        for name in contestants
    ]  # fmt: skip


def enough_steps(stepper: Stepper, seconds: float) -> int:
    """Find how many steps take so long."""
    steps = 16
    while (each := step_seconds(stepper, steps)) * steps < seconds / 4 and steps < _MOST_STEPS:
        steps *= 4
    return min(_MOST_STEPS, max(1, math.ceil(seconds / each)))


def step_seconds(stepper: Stepper, steps: int) -> float:
    """Time so many steps, and give the seconds of one."""
    begin = time.perf_counter()
    taken = stepper.run(steps)
    return (time.perf_counter() - begin) / taken


def table(paces: Sequence[Pace]) -> str:
    """Lay out one line for each problem."""
    contestants = list(dict.fromkeys(pace.contestant for pace in paces))
    head = ["problem", *(f"{name}, µs" for name in contestants), "taut / floor",
            *(f"{name}, compile s" for name in contestants)]  # fmt: skip
    lines = [head, ["---"] * len(head)]
    for problem in dict.fromkeys(pace.problem for pace in paces):
        by_name = {pace.contestant: pace for pace in paces if pace.problem == problem}
        lines.append([
            problem, *(f"{by_name[name].fastest:,.1f}" for name in contestants),
            _ratio(by_name),
            *(f"{by_name[name].compile_seconds:.1f}" for name in contestants),
        ])  # fmt: skip
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _ratio(by_name: dict[str, Pace]) -> str:
    floors = [by_name[name].fastest for name in FLOORS if name in by_name]
    if "taut" not in by_name or not floors:
        return ""
    ratio = by_name["taut"].fastest / min(floors)
    return f"{ratio:.1f}" if ratio <= GOAL else f"**{ratio:.1f}**"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks engine", description=__doc__)
    add = parser.add_argument
    add("--contestants", type=some_of(CONTESTANTS), default=list(CONTESTANTS))
    add("--rows", type=positive, default=1_000_000, help="largest problem, by rows")
    add("--dim", type=positive, default=10_000, help="largest problem, by dimensions")
    add("--seconds", type=float, default=0.5, help="of a repetition")
    add("--repetitions", type=positive, default=5)
    add("--json", type=Path, help="file for every figure, versions and machine included")
    return parser
