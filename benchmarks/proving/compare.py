"""``python -m benchmarks compare A B``: what changed from one run to another."""

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.proving.records import Run, read
from benchmarks.proving.summary import Cell

# Below these a change is noise: of 4000 draws, and of seconds on a machine with other work.
_LEAST_ERROR, _LEAST_RATIO = 0.1, 1.3
_LEAST_SECONDS = 0.2


@dataclass(frozen=True)
class Change:
    """One method on one posterior, in both runs."""

    posterior: str
    method: str
    before: Cell
    after: Cell

    @property
    def in_error(self) -> int:
        """-1 for better, 1 for worse, 0 for neither; a failure is worse than any error."""
        return _sign(self.before.error, self.after.error, _LEAST_ERROR)

    @property
    def in_seconds(self) -> int:
        """-1 for faster, 1 for slower, 0 for neither."""
        before, after = self.before.median_of("seconds"), self.after.median_of("seconds")
        return 0 if before is None or after is None else _sign(before, after, _LEAST_SECONDS)


def changes(before: Run, after: Run) -> Iterator[Change]:
    """Pair what both runs have."""
    for posterior in after.posteriors:
        for method in after.methods:
            old, new = before.of(posterior, method), after.of(posterior, method)
            if old and new:
                yield Change(posterior, method, Cell(tuple(old)), Cell(tuple(new)))


def main(arguments: Sequence[str]) -> None:
    """Print what changed by more than noise."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks compare", description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--all", action="store_true", help="what did not change, too")
    options = parser.parse_args(arguments)
    paired = list(changes(read(options.before), read(options.after)))
    console = Console()
    console.print(_table([c for c in paired if options.all or c.in_error or c.in_seconds]))
    console.print(verdict(paired))


def verdict(paired: Sequence[Change]) -> str:
    """Count."""
    errors, seconds = [c.in_error for c in paired], [c.in_seconds for c in paired]
    return (
        f"{len(paired)} fits in both runs: error smaller in {errors.count(-1)}, larger in "
        f"{errors.count(1)}; faster in {seconds.count(-1)}, slower in {seconds.count(1)}."
    )


def _sign(before: float, after: float, least: float) -> int:
    if before == after or abs(after - before) < least:
        return 0
    low, high = sorted((before, after))
    if math.isfinite(high) and high < _LEAST_RATIO * low:
        return 0
    return 1 if after > before else -1


def _table(shown: Sequence[Change]) -> Table:
    table = Table("posterior", "method", "error", "", "seconds", "")
    for change in shown:
        seconds = [cell.median_of("seconds") for cell in (change.before, change.after)]
        table.add_row(
            change.posterior, change.method,
            f"{change.before.error:.2f} → {change.after.error:.2f}", _word(change.in_error),
            " → ".join("–" if s is None else f"{s:.1f}" for s in seconds),
            _word(change.in_seconds),
        )  # fmt: skip
    return table


def _word(sign: int) -> str:
    return {-1: "[green]better[/]", 0: "", 1: "[red]worse[/]"}[sign]
