"""``python -m benchmarks run``: fit every posterior by every method."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks import machine
from benchmarks.arguments import positive, some_of
from benchmarks.methods import METHODS
from benchmarks.posteriors import EVERY, POSTERIORS
from benchmarks.proving.runner import Plan, run

# A third of the posteriors, of every kind that is quick, and the methods that take seconds on them.
QUICK_POSTERIORS = (
    "gamma", "poisson", "schools_non_centred", "schools_centred", "banana", "funnel", "mixture",
    "linear_raw", "autoregression",
)  # fmt: skip
QUICK_METHODS = (
    "taut-auto", "taut-batch_match", "taut-advi_tuned", "pymc-advi", "numpyro-AutoNormal",
    "blackjax-pathfinder", "nutpie-nuts",
)  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    """Run what is missing from a file."""
    options = parse(arguments)
    plan = Plan.of(
        options.posteriors, options.methods, options.seeds, options.seconds, options.processes
    )
    plan = replace(plan, retry=options.retry, share=options.share, second=not options.quick)
    head = machine.describe() | {"seconds": options.seconds, "processes": options.processes}
    run(plan, options.out, head, Console(stderr=True))


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; what it leaves open depends on ``--quick``."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks run",
        description="Fit posteriors by methods, each in a fresh process. A run that was stopped "
        "goes on where it was.",
    )
    add = parser.add_argument
    add("--posteriors", type=some_of(EVERY), help="names, with commas; by default all but the odd")
    add("--kinds", type=some_of(_kinds()), help="only posteriors with one of these tags")
    add("--methods", type=some_of(METHODS), help="names, with commas; by default all")
    add("--seeds", type=positive, help="how many; by default 3")
    add("--seconds", type=float, help="limit of a fit; by default 180")
    add("--processes", type=positive, help="fits at a time; by default 1")
    add("--quick", action="store_true", help="a third of it: one seed, one fit, two processes")
    add("--retry", action="store_true", help="fit once more what failed")
    add("--share", action="store_true", help="missing seeds share a process: the first is timed")
    add("--out", type=Path, default=Path("proving-ground.jsonl"), help="file of JSON lines")
    options = parser.parse_args(arguments)
    if "odd" in (options.kinds or ()):
        options.posteriors = options.posteriors or list(EVERY)
    for name, whole, quick in _defaults():
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else whole)
    if options.kinds:
        options.posteriors = _with_kinds(options.posteriors, options.kinds)
    return options


def _defaults() -> tuple[tuple[str, object, object], ...]:
    return (
        ("posteriors", list(POSTERIORS), list(QUICK_POSTERIORS)),
        ("methods", list(METHODS), list(QUICK_METHODS)),
        ("seeds", 3, 1),
        ("seconds", 180.0, 60.0),
        ("processes", 1, 2),
    )


def _kinds() -> list[str]:
    return sorted({kind for posterior in EVERY.values() for kind in posterior.kinds})


def _with_kinds(names: Sequence[str], kinds: Sequence[str]) -> list[str]:
    return [name for name in names if set(EVERY[name].kinds) & set(kinds)]
