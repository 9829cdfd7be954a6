"""``python -m benchmarks odd``: is each odd density right, or not trusted?

The exit status is 1 if a fit is trusted and wrong, or gives no answer at all.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks import machine
from benchmarks.arguments import positive, some_of
from benchmarks.methods import METHODS
from benchmarks.posteriors import ODD
from benchmarks.proving import records
from benchmarks.proving.odd import lines, summary
from benchmarks.proving.runner import Plan, run
from benchmarks.proving.trust import AUTO


def main(arguments: Sequence[str]) -> None:
    """Fit what is missing, and print a line for each density."""
    options = _parse(arguments)
    with tempfile.TemporaryDirectory(prefix="taut-odd-") as folder:
        path = options.out or Path(folder, "odd.jsonl")
        _run(options, path)
        found = records.read(path).only(options.posteriors)
    told = lines(found, options.method)
    for line in told:
        print(line)
    print(summary(told))
    if not all(line.is_allowed for line in told):
        sys.exit(1)


def _run(options: argparse.Namespace, path: Path) -> None:
    """Fit, the seeds of a density in one process: nothing here is about time."""
    plan = Plan.of(
        options.posteriors, [options.method], options.seeds, options.seconds, options.processes
    )
    head = machine.describe() | {"seconds": options.seconds, "processes": options.processes}
    run(replace(plan, share=True, second=False), path, head, Console(stderr=True))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks odd", description=__doc__)
    add = parser.add_argument
    add("--posteriors", type=some_of(ODD), default=list(ODD), help="names; by default all odd ones")
    add("--method", choices=list(METHODS), default=AUTO)
    add("--seeds", type=positive, default=5, help="how many; by default 5")
    add("--seconds", type=float, default=180.0, help="limit of a fit; by default 180")
    add("--processes", type=positive, default=1, help="fits at a time; by default 1")
    add("--out", type=Path, help="keep the fits in a file of JSON lines, and go on from it")
    return parser.parse_args(arguments)
