"""What may take long, and what fails if it does."""

from collections.abc import Iterator

import pytest

# References and rivals, pages, fits of real models, calls of PyMC's pages, and the zoo.
SLOW_FOLDERS = ("benchmarks", "docs", "method", "seed", "zoo")
# With its programs kept, and on an idle machine, a test takes under 5 s of the process's own CPU
# time. XLA compiles for twice as long as that where nothing is kept; where others run on the same
# cores and caches, CPU seconds are up to twice as many.
LONGEST = 5.0 * 3 * 2


def may_be_slow(path: str, marks: Iterator[pytest.Mark]) -> bool:
    """Check whether a test is in a slow folder, or marked."""
    folder = path.removeprefix("tests/").partition("/")[0]
    return folder in SLOW_FOLDERS or any(mark.name in ("slow", "nightly") for mark in marks)


def complaint(seconds: float) -> str:
    """Say what is to be done about a test of so many seconds."""
    return (
        f"took {seconds:.1f} CPU s, more than {LONGEST:g}: let it share a fit, fit less, or mark "
        "it `slow`"
    )
