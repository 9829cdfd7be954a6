"""``python -m benchmarks references``: make the known answers, or show how good they are."""

import argparse
import time
from collections.abc import Sequence

from rich.console import Console

from benchmarks.arguments import some_of
from benchmarks.posteriors import EVERY
from benchmarks.references.base import LIMITS, Reference
from benchmarks.references.store import load, path_of, save


def main(arguments: Sequence[str]) -> None:
    """Make those asked for, and show all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks references", description=__doc__)
    parser.add_argument("--posteriors", type=some_of(EVERY), default=list(EVERY))
    parser.add_argument("--check", action="store_true", help="make nothing, show what is kept")
    options = parser.parse_args(arguments)
    console = Console()
    for name in options.posteriors:
        posterior = EVERY[name]
        if not options.check:
            from benchmarks.references.make import make

            begin = time.perf_counter()
            save(posterior, make(posterior))
            console.print(f"{name}: {time.perf_counter() - begin:.0f} s", style="dim")
        kilobytes = path_of(posterior).stat().st_size / 1024
        console.print(f"{name}: {summary(load(posterior))}, {kilobytes:.0f} KB")


def summary(reference: Reference) -> str:
    """Say in a line how good a reference is."""
    worst = reference.labels[int(reference.ess.argmin())]
    text = (
        f"{reference.about['source']}, {len(reference.labels)} quantities, R-hat at most "
        f"{reference.rhat.max():.3f}, ESS at least {reference.ess.min():,.0f} ({worst})"
    )
    return text if reference.is_good else f"{text}; LIMITS MISSED: {LIMITS}"
