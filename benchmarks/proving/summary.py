"""What a run says of each method and posterior."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from benchmarks.proving.records import Record, Run

# Every mean within 0.3 sd and every |log sd ratio| below 0.3: what a reader would call right.
GOOD = 0.3


def error(record: Record) -> float:
    """Return the larger of the worst error of a mean and the worst ``|log sd ratio|``.

    Infinite for a failure.
    """
    if not record.is_ok:
        return math.inf
    return max(record.errors["mean_max"], record.errors["log_sd_max"])


@dataclass(frozen=True)
class Cell:
    """One method on one posterior, over all seeds.

    Parameters
    ----------
    records
        One for each seed.
    """

    records: tuple[Record, ...]

    @property
    def error(self) -> float:
        """The median over seeds; infinite where most of them failed."""
        return median(error(record) for record in self.records)

    @property
    def failure(self) -> str:
        """How it failed, if most seeds did."""
        statuses = [record.status for record in self.records if not record.is_ok]
        return statuses[0] if math.isinf(self.error) else ""

    def median_of(self, field: str) -> float | None:
        """Compute the median of a field over the seeds that have it."""
        return _median(getattr(record, field) for record in self.records)


@dataclass(frozen=True)
class MethodSummary:
    """One method over all posteriors it was run on.

    Parameters
    ----------
    method
        Its name.
    cells
        By posterior.
    """

    method: str
    cells: dict[str, Cell]

    @property
    def good(self) -> float:
        """Share of the posteriors on which its error is below `GOOD`; failures are not."""
        return self.share_within(GOOD)

    @property
    def failures(self) -> int:
        """On how many posteriors it failed."""
        return sum(bool(cell.failure) for cell in self.cells.values())

    @property
    def error(self) -> float:
        """The median over posteriors."""
        return median(cell.error for cell in self.cells.values())

    def share_within(self, bound: float) -> float:
        """Compute the share of the posteriors on which its error is at most so large."""
        return sum(cell.error <= bound for cell in self.cells.values()) / len(self.cells)

    def median_of(self, field: str) -> float | None:
        """Compute the median of a field over the posteriors that have it."""
        return _median(cell.median_of(field) for cell in self.cells.values())


def summaries(run: Run) -> list[MethodSummary]:
    """Summarise each method: first those run on most posteriors, then those right most often."""
    found = [
        MethodSummary(
            method,
            {p: Cell(tuple(seeds)) for p in run.posteriors if (seeds := run.of(p, method))},
        )
        for method in run.methods
    ]
    return sorted(found, key=lambda one: (-len(one.cells), -one.good, one.error))


def _median(values: Iterable[float | None]) -> float | None:
    given = [value for value in values if value is not None]
    return median(given) if given else None
