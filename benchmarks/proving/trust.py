"""What a run says of the automatic fit: its errors, its verdicts, and PyMC's default beside it."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from benchmarks.proving.records import Record, Run
from benchmarks.proving.summary import GOOD
from benchmarks.proving.tables import markdown, number

AUTO = "taut-auto"
_RIVALS = ("pymc-advi", "pymc-fullrank_advi")


def is_good(record: Record) -> bool:
    """Whether every mean is within 0.3 sd, and every sd within 30 % or so."""
    return record.is_ok and max(record.errors["mean_max"], record.errors["log_sd_max"]) < GOOD


@dataclass(frozen=True)
class Judged:
    """Verdicts of fits whose errors are known.

    Parameters
    ----------
    records
        Of fits whose library says whether to trust them.
    """

    records: tuple[Record, ...]

    @property
    def trusted(self) -> list[Record]:
        """Fits that are called trustworthy."""
        return [record for record in self.records if record.trusted]

    @property
    def wrongly_trusted(self) -> list[Record]:
        """Those among them that are not good."""
        return [record for record in self.trusted if not is_good(record)]

    @property
    def wrongly_distrusted(self) -> list[Record]:
        """Good fits that are not trusted."""
        return [record for record in self.records if is_good(record) and not record.trusted]

    def __str__(self) -> str:
        good = [record for record in self.records if is_good(record)]
        named = ", ".join(sorted({record.posterior for record in self.wrongly_trusted}))
        return (
            f"Of {len(self.records)} fits {len(self.trusted)} were called trustworthy; "
            f"{len(self.wrongly_trusted)} of these are off by more than {GOOD:g} sd in a mean or "
            f"{GOOD:g} in a log sd{f' ({named})' if named else ''}. Of {len(good)} good fits "
            f"{len(self.wrongly_distrusted)} were not trusted."
        )


def judged(run: Run) -> Judged:
    """Collect the verdicts of the automatic fit; a failure is a fit that is not trusted."""
    return Judged(tuple(r for r in run.records.values() if r.method == AUTO))


def table(run: Run) -> str:
    """Lay out the automatic fit on each posterior, and PyMC's fits beside it."""
    others = [f"{what} of `{rival}`" for rival in _RIVALS for what in ("mean", "log sd", "s")]
    head = ("posterior", "mean, sd", "log sd", "trusted", "seconds", "CPU s", "gradients", *others)
    return markdown(head, (_row(run, posterior) for posterior in run.posteriors))


def _row(run: Run, posterior: str) -> list[str]:
    records = run.of(posterior, AUTO)
    trusted = f"{sum(bool(r.trusted) for r in records)} of {len(records)}"
    own = [_median(records, field) for field in ("mean_max", "log_sd_max")]
    cost = [_median(records, field) for field in ("seconds", "cpu_seconds", "gradients")]
    others = [
        _median(run.of(posterior, rival), field)
        for rival in _RIVALS
        for field in ("mean_max", "log_sd_max", "seconds")
    ]
    shown = [number(value) for value in (*own, *cost, *others)]
    return [posterior, *shown[:2], trusted, *shown[2:]]


def against(run: Run, rival: str) -> str:
    """Say on how many posteriors the automatic fit is nearer and faster than a rival."""
    nearer = {"mean_max": 0, "log_sd_max": 0, "seconds": 0}
    compared, slowest = 0, (0.0, "")
    for posterior in run.posteriors:
        own, other = run.of(posterior, AUTO), run.of(posterior, rival)
        if not own or not other:
            continue
        compared += 1
        for field in nearer:
            nearer[field] += _or_inf(own, field) < _or_inf(other, field)
        ratio = _or_inf(own, "seconds") / _or_inf(other, "seconds")
        slowest = max(slowest, (ratio, posterior))
    return (
        f"Against `{rival}` on {compared} posteriors: smaller error of means on "
        f"{nearer['mean_max']}, of sds on {nearer['log_sd_max']}, less time on "
        f"{nearer['seconds']}; at most {slowest[0]:.2f} times its time ({slowest[1]})."
    )


def _median(records: Iterable[Record], field: str) -> float | None:
    """Compute the median over seeds, failures being infinitely wrong."""
    found = [_value(record, field) for record in records]
    given = [value for value in found if value is not None]
    return median(given) if given else None


def _value(record: Record, field: str) -> float | None:
    if field in ("mean_max", "log_sd_max"):
        return record.errors[field] if record.is_ok else float("inf")
    return getattr(record, field)


def _or_inf(records: Iterable[Record], field: str) -> float:
    found = _median(records, field)
    return float("inf") if found is None else found
