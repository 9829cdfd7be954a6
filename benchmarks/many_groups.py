"""Time the automatic fit of a hierarchy with many rows: ``python -m benchmarks.many_groups``.

A logistic regression of five columns, with an intercept for each group. It is written in two ways,
centred and not, which have one posterior and very different geometry: their fits, made by different
stages, are each other's check.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pymc as pm
from rich.console import Console
from rich.table import Table

import taut
from benchmarks import machine
from benchmarks.arguments import positive
from benchmarks.models import SEED

_COLUMNS = 5
_DRAWS = 1000
_NAMES = ("mu", "tau", "slope", "alpha")


@dataclass(frozen=True)
class Hierarchy:
    """Two fits of one way of writing the model.

    Parameters
    ----------
    way
        ``"centred"`` or ``"non-centred"``.
    first, again
        Seconds from the call to a thousand draws, with and without compilation.
    gradients
        In the second fit.
    outcome
        How that came out.
    trusted
        Its verdict.
    timing
        Where taut says that the seconds of the first went.
    """

    way: str
    first: float
    again: float
    gradients: int
    outcome: str
    trusted: bool
    timing: str


def build(rows: int, groups: int, *, centred: bool) -> pm.Model:
    """Write the regression in PyMC, on simulated data."""
    rng = np.random.default_rng(SEED)
    group, x = rng.integers(0, groups, rows), rng.normal(size=(rows, _COLUMNS))
    logit = rng.normal(0.5, 0.7, groups)[group] + x @ np.linspace(-1.0, 1.0, _COLUMNS)
    y = (rng.random(rows) < 1.0 / (1.0 + np.exp(-logit))).astype(int)
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0.0, 2.0), pm.HalfNormal("tau", 1.0)
        slope = pm.Normal("slope", 0.0, 2.0, shape=_COLUMNS)
        if centred:
            alpha = pm.Normal("alpha", mu, tau, shape=groups)
        else:
            raw = pm.Normal("raw", 0.0, 1.0, shape=groups)
            alpha = pm.Deterministic("alpha", mu + tau * raw)
        pm.Bernoulli("y", logit_p=alpha[group] + x @ slope, observed=y)
    return model


def measure(rows: int, groups: int, *, centred: bool) -> tuple[Hierarchy, np.ndarray]:
    """Fit twice; give what was measured, and a row of values for each draw of the second."""
    model, marks, timing = build(rows, groups, centred=centred), [time.perf_counter()], ""
    for seed in (SEED, SEED + 1):
        approx = taut.fit(model=model, random_seed=seed, progressbar=False)
        draws = approx.sample(_DRAWS, random_seed=seed)["posterior"]
        marks.append(time.perf_counter())
        timing = timing or str(approx.timing)
    first, again = np.diff(marks)
    outcome = approx.journal.outcome
    assert outcome is not None
    values = [draws[name].values.reshape(_DRAWS, -1) for name in _NAMES]
    return Hierarchy(
        "centred" if centred else "non-centred", float(first), float(again),
        approx.journal.gradients, outcome.name.lower(), outcome.verdict.trusted, timing,
    ), np.hstack(values)  # fmt: skip


def apart(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Compute the largest difference of a mean, in standard deviations, and log ratio of these."""
    mean = np.abs(one.mean(0) - other.mean(0)) / one.std(0)
    return float(mean.max()), float(np.abs(np.log(one.std(0) / other.std(0))).max())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a table, and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many_groups", description=__doc__)
    parser.add_argument("--rows", type=positive, default=100_000)
    parser.add_argument("--groups", type=positive, default=200)
    parser.add_argument("--json", type=Path, help="file for every figure, and the machine")
    options = parser.parse_args(arguments)
    # Programs that are found on disk would compile in no time.
    taut.set_cache_directory(None)
    fits, draws = zip(
        *(measure(options.rows, options.groups, centred=way) for way in (False, True)), strict=True
    )
    mean, log_sd = apart(*draws)
    about = machine.describe()
    title = f"{options.rows:,} rows, {options.groups:,} groups, {about['device']}"
    columns = "written", "first, s", "again, s", "gradients", "outcome", "trusted"
    table = Table(*columns, title=title)
    for fit in fits:
        table.add_row(fit.way, f"{fit.first:.1f}", f"{fit.again:.1f}", f"{fit.gradients:,}",
                      fit.outcome, "yes" if fit.trusted else "no")  # fmt: skip
    Console(width=120).print(table)
    Console().print(f"They are apart by {mean:.2f} sd in a mean and {log_sd:.2f} in a log sd.")
    if options.json:
        told = {"machine": about, "rows": options.rows, "groups": options.groups,
                "fits": [asdict(fit) for fit in fits], "mean": mean, "log_sd": log_sd}  # fmt: skip
        options.json.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
