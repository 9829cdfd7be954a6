"""A run as Markdown."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchmarks.methods import METHODS
from benchmarks.posteriors import POSTERIORS, Posterior
from benchmarks.proving.records import Run
from benchmarks.proving.summary import GOOD, Cell, MethodSummary
from benchmarks.references import load, path_of

_SHORT = {"crash": "crash", "not finite": "NaN", "time-out": "time"}


def method_table(found: Sequence[MethodSummary]) -> str:
    """Lay out one line for each method."""
    head = ("method", "settings", "posteriors", f"good (≤ {GOOD:g})", "failed", "median error",
            "seconds", "CPU s", "second fit, s", "gradients", "k-hat", "peak MB")  # fmt: skip
    rows = [
        (
            f"`{one.method}`", METHODS[one.method].about, str(len(one.cells)),
            f"{100 * one.good:.0f} %", str(one.failures), number(one.error),
            *(number(one.median_of(field)) for field in
              ("seconds", "cpu_seconds", "second_seconds", "gradients", "khat", "peak_mb")),
        )
        for one in found
    ]  # fmt: skip
    return markdown(head, rows)


def compilation_table(found: Sequence[MethodSummary]) -> str:
    """Lay out where the seconds of a first fit go; ratios and sums are those of medians."""
    head = ("method", "first fit, s", "of which compiling, s", "share", "second fit, s")
    rows = []
    for one in found:
        seconds, compiling, second = (
            one.median_of(field) for field in ("seconds", "compile_seconds", "second_seconds")
        )
        share = "" if not seconds or compiling is None else f"{100 * compiling / seconds:.0f} %"
        rows.append((f"`{one.method}`", number(seconds), number(compiling), share, number(second)))
    return markdown(head, rows)


def error_table(run: Run, found: Sequence[MethodSummary]) -> str:
    """Lay out the error of each method on each posterior."""
    return _by_posterior(run, found, lambda cell: number(cell.error))


def seconds_table(run: Run, found: Sequence[MethodSummary]) -> str:
    """Lay out the seconds of each method on each posterior, from call to draws."""
    return _by_posterior(run, found, lambda cell: number(cell.median_of("seconds")))


def reference_table() -> str:
    """Lay out every reference and its own check."""
    head = ("posterior", "about", "kinds", "quantities", "reference", "R-hat, largest",
            "ESS, smallest", "divergences")  # fmt: skip
    return markdown(head, (_reference_row(posterior) for posterior in POSTERIORS.values()))


def _reference_row(posterior: Posterior) -> list[str]:
    row = [posterior.name, posterior.about, ", ".join(posterior.kinds)]
    if not path_of(posterior).exists():
        return [*row, "", "none yet", "", "", ""]
    kept = load(posterior)
    row.append(str(len(kept.labels)))
    if kept.about["source"] == "exact":
        return [*row, "exact", "", "", ""]
    check = f"{kept.rhat.max():.4f}", f"{kept.ess.min():,.0f}", str(kept.about["divergences"])
    return [*row, _nuts(kept.about), *check]


def _nuts(about: Mapping[str, Any]) -> str:
    twin = ", of the twin" if about["twin"] else ""
    return f"NUTS, {about['chains']} x {about['draws']:,d}{twin}"


def _by_posterior(run: Run, found: Sequence[MethodSummary], show: Callable[[Cell], str]) -> str:
    rows = []
    for posterior in (name for name in POSTERIORS if name in run.posteriors):
        cells = (one.cells.get(posterior) for one in found)
        rows.append((posterior, *(_shown(cell, show) for cell in cells)))
    return markdown(("posterior", *(f"`{one.method}`" for one in found)), rows)


def _shown(cell: Cell | None, show: Callable[[Cell], str]) -> str:
    if cell is None:
        return "–"
    return f"*{_SHORT[cell.failure]}*" if cell.failure else show(cell)


def markdown(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Lay rows out below their head."""
    head = list(head)
    lines = [head, ["---"] * len(head), *map(list, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value: float | None) -> str:
    """Write two or three digits, which is what the noise leaves."""
    if value is None:
        return ""
    if math.isinf(value):
        return "failed"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
