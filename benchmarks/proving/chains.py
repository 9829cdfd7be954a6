"""The automatic fit beside NUTS, on models that need chains."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.proving.records import Record, Run
from benchmarks.proving.summary import GOOD, error
from benchmarks.proving.tables import markdown, number
from benchmarks.proving.trust import AUTO

NUTS = "nutpie-nuts"
# How many times NUTS's sampling a second fit may take at most.
MOST = 3.0


@dataclass(frozen=True)
class Pair:
    """A posterior, fitted by both.

    Parameters
    ----------
    taut, nuts
        Their records.
    """

    taut: Record
    nuts: Record

    @property
    def is_right(self) -> bool:
        """Whether the fit is trusted, and is right."""
        return bool(self.taut.trusted) and error(self.taut) < GOOD

    @property
    def first(self) -> float | None:
        """CPU seconds of a first fit, in those of NUTS with its compilation."""
        return ratio(self.taut.cpu_seconds, self.nuts.cpu_seconds)

    @property
    def second(self) -> float | None:
        """CPU seconds of a second fit, in those of NUTS's sampling alone."""
        return ratio(self.taut.second_cpu_seconds, self.nuts.second_cpu_seconds)


def ratio(one: float | None, other: float | None) -> float | None:
    """Divide what was measured; `None` where either was not.

    Examples
    --------
    >>> from benchmarks.proving.chains import ratio
    >>> ratio(3.0, 2.0), ratio(3.0, None)
    (1.5, None)
    """
    return None if one is None or not other else one / other


def pairs(run: Run) -> list[Pair]:
    """Put together what both have fitted with the same seed."""
    by_both = (
        (run.records.get((posterior, AUTO, seed)), run.records.get((posterior, NUTS, seed)))
        for posterior, method, seed in run.records
        if method == AUTO
    )
    return [Pair(one, other) for one, other in by_both if one is not None and other is not None]


def table(found: Iterable[Pair]) -> str:
    """Lay out a line for each posterior, in CPU seconds; NUTS after the stroke."""
    head = ("posterior", "first fit", "second fit", "times NUTS", "effective draws a CPU s",
            "error", "trusted")  # fmt: skip
    rows = [
        (
            f"{pair.taut.posterior}, seed {pair.taut.seed}",
            _both(pair, "cpu_seconds"),
            _both(pair, "second_cpu_seconds"),
            f"{number(pair.first)}, {number(pair.second)}",
            f"{number(_efficiency(pair.taut))} / {number(_efficiency(pair.nuts))}",
            f"{number(error(pair.taut))} / {number(error(pair.nuts))}",
            "yes" if pair.taut.trusted else "no",
        )
        for pair in found
    ]
    return markdown(head, rows)


def summary(found: Sequence[Pair]) -> str:
    """Hold all of them against the goals."""
    first = [pair.first for pair in found if pair.first is not None]
    second = [pair.second for pair in found if pair.second is not None]
    right = sum(pair.is_right for pair in found)
    return (
        f"{right} of {len(found)} are right and trusted. First fits take fewer CPU seconds than "
        f"compiling and sampling in {sum(each < 1 for each in first)} of {len(first)}; second fits "
        f"take {median(second):.2g} times those of sampling in the median, and over {MOST:g} times "
        f"in {sum(each > MOST for each in second)} of {len(second)}."
        if first and second
        else f"{right} of {len(found)} are right and trusted; none was timed twice by both."
    )


def _both(pair: Pair, field: str) -> str:
    return f"{number(getattr(pair.taut, field))} / {number(getattr(pair.nuts, field))}"


def _efficiency(record: Record) -> float | None:
    seconds = record.second_cpu_seconds or record.cpu_seconds
    return ratio(record.effective, seconds)
