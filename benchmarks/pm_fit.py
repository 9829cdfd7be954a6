"""Time taut against `pm.fit`, side by side in one process: ``python -m benchmarks``."""

import argparse
import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from rich.console import Console

from benchmarks import first_call, floor, machine, progress_bar, speed
from benchmarks.arguments import positive, some_of
from benchmarks.models import CASES
from benchmarks.report import Results, show, write_json

_PARTS = ("speed", "first-call", "progress-bar", "floor")
_WIDTH = 120


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for, and print it."""
    options = _parser().parse_args(arguments)
    logging.getLogger("pymc").setLevel(logging.WARNING)
    settings = {name: value for name, value in vars(options).items() if name != "json"}
    results = Results(machine.describe(), settings)
    log = Console(stderr=True)
    with _bytecode(options) as pycache:
        for name in options.models:
            log.print(f"timing {name}", style="dim")
            _measure(name, options, results, pycache)
    show(results, _console())
    if options.json:
        write_json(results, options.json)


def _console() -> Console:
    """Print to the terminal as it is, and to files at the width of the tables."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH)


def _bytecode(options: argparse.Namespace) -> AbstractContextManager[Path | None]:
    if "first-call" not in options.parts:
        return nullcontext()
    return first_call.bytecode(CASES[options.models[0]])


def _measure(
    name: str, options: argparse.Namespace, results: Results, pycache: Path | None
) -> None:
    case, parts = CASES[name], options.parts
    results.busy_cores[name] = machine.busy_cores()
    length = (options.steps, options.seconds, options.repetitions)
    if "speed" in parts:
        results.speed[name] = speed.measure(case, *length)
    if pycache is not None:
        results.first_call[name] = first_call.measure(
            case, options.steps, options.processes, pycache
        )
    if "progress-bar" in parts and name in progress_bar.NAMES:
        results.progress_bar[name] = progress_bar.measure(case, *length)
    if "floor" in parts:
        results.floor[name] = floor.measure(case)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--models", type=some_of(CASES), default=",".join(CASES), help="names, with commas")
    add("--parts", type=some_of(_PARTS), default=",".join(_PARTS), help="what to measure")
    add("--steps", type=positive, default=10_000, help="steps of a call of fit")
    add("--seconds", type=float, default=1.0, help="least time of a repetition in steady state")
    add("--repetitions", type=positive, default=5, help="in steady state, of each library")
    add("--processes", type=positive, default=1, help="pairs of fresh processes for first calls")
    add("--json", type=Path, help="file for every figure, versions and machine included")
    return parser
