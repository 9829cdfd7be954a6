"""The rule for odd densities: right to a tenth of a standard deviation, or not trusted."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from benchmarks.proving.records import Record, Run
from benchmarks.proving.summary import error

# Of a mean, in standard deviations, and of the logarithm of a standard deviation.
RIGHT = 0.1


class End(Enum):
    """How a fit of an odd density came out."""

    TRUSTED = "right and trusted"
    DISTRUSTED = "right, not trusted"
    ADMITTED = "not right, not trusted"
    WRONG = "TRUSTED AND WRONG"
    NOTHING = "NO ANSWER"

    @property
    def is_allowed(self) -> bool:
        """Whether the rule holds."""
        return self not in (End.WRONG, End.NOTHING)


def end_of(record: Record) -> End:
    """Hold a fit against the rule; an error and a time-out give no answer.

    Examples
    --------
    >>> from benchmarks.proving.odd import end_of
    >>> from benchmarks.proving.records import Record
    >>> errors = {"mean_max": 0.02, "log_sd_max": 0.3}
    >>> end_of(Record("jump", "taut-auto", 0, "ok", trusted=True, errors=errors)).value
    'TRUSTED AND WRONG'
    """
    if not record.is_ok:
        return End.NOTHING
    if error(record) < RIGHT:
        return End.TRUSTED if record.trusted else End.DISTRUSTED
    return End.WRONG if record.trusted else End.ADMITTED


@dataclass(frozen=True)
class Line:
    """All seeds of one density.

    Parameters
    ----------
    posterior
        Its name.
    records
        One for each seed.
    """

    posterior: str
    records: Sequence[Record]

    @property
    def ends(self) -> Counter[End]:
        """How many seeds came out how."""
        return Counter(map(end_of, self.records))

    @property
    def is_allowed(self) -> bool:
        """Whether the rule holds for every seed."""
        return all(end.is_allowed for end in self.ends)

    def __str__(self) -> str:
        ends = ", ".join(f"{count} {end.value}" for end, count in sorted(
            self.ends.items(), key=lambda pair: list(End).index(pair[0])
        ))  # fmt: skip
        return "; ".join([f"{self.posterior}: {ends}", *self._largest(), *self._said()])

    def _largest(self) -> list[str]:
        """Name the largest errors there are."""
        found = [record.errors for record in self.records if record.is_ok]
        if not found:
            return []
        mean = max(found, key=lambda one: one["mean_max"])
        sd = max(found, key=lambda one: one["log_sd_max"])
        return [
            f"mean {mean['mean_max']:.2f} ({mean['worst_mean']})",
            f"log sd {sd['log_sd_max']:.2f} ({sd['worst_sd']})",
        ]

    def _said(self) -> list[str]:
        """Repeat why fits were not trusted, or what stopped them."""
        said = [r.verdict if r.is_ok else f"{r.status}: {r.message}" for r in self.records
                if not (r.is_ok and r.trusted)]  # fmt: skip
        return list(dict.fromkeys(said))


def lines(run: Run, method: str) -> list[Line]:
    """Collect the fits of one method, density by density."""
    return [Line(name, found) for name in run.posteriors if (found := run.of(name, method))]


def summary(found: Sequence[Line]) -> str:
    """Count all fits."""
    ends = sum((line.ends for line in found), Counter[End]())
    counts = ", ".join(f"{ends[end]} {end.value}" for end in End)
    return f"{ends.total()} fits of {len(found)} odd densities: {counts}."
