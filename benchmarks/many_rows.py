"""Time the automatic fit as rows grow: ``python -m benchmarks.many_rows``, on any device of JAX.

A logistic regression of ten columns, whose posterior is nearly Gaussian at these sizes:
what a fit is compared with is the mode and the curvature there, by Newton's method in NumPy.
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
from benchmarks.models import SEED

_COLUMNS = 10
_PRIOR_SD = 5.0
_NEWTON_STEPS = 20
_DRAWS = 1000


@dataclass(frozen=True)
class Growth:
    """One fit, in seconds, and how far it is from the posterior.

    Parameters
    ----------
    rows
        Of the data.
    first, again
        From the call to the approximation, with and without compilation.
    sample, diagnose
        A thousand draws, and the report.
    gradients
        In the second fit, those of a draft included.
    mean_error, log_sd_error
        The largest, in standard deviations and as a log ratio.
    trusted
        The verdict.
    """

    rows: int
    first: float
    again: float
    sample: float
    diagnose: float
    gradients: int
    mean_error: float
    log_sd_error: float
    trusted: bool


def simulate(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Make columns and outcomes."""
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(rows, _COLUMNS))
    chance = 1.0 / (1.0 + np.exp(-x @ np.linspace(-1.0, 1.0, _COLUMNS)))
    return x, (rng.random(rows) < chance).astype(float)


def logistic(x: np.ndarray, y: np.ndarray) -> pm.Model:
    """Write the regression in PyMC."""
    with pm.Model() as model:
        slope = pm.Normal("slope", 0.0, _PRIOR_SD, shape=_COLUMNS)
        pm.Bernoulli("y", logit_p=x @ slope, observed=y)
    return model


def newton(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the mode, and the standard deviations by the curvature there."""
    slope, information = np.zeros(_COLUMNS), np.eye(_COLUMNS)
    for _ in range(_NEWTON_STEPS):
        chance = 1.0 / (1.0 + np.exp(-x @ slope))
        information = (x.T * (chance * (1.0 - chance))) @ x + np.eye(_COLUMNS) / _PRIOR_SD**2
        slope += np.linalg.solve(information, x.T @ (y - chance) - slope / _PRIOR_SD**2)
    return slope, np.sqrt(np.diag(np.linalg.inv(information)))


def measure(rows: int, batch_size: int | None) -> Growth:
    """Fit twice, the second time with the first one's programs."""
    x, y = simulate(rows)
    model = logistic(x, y)
    marks = [time.perf_counter()]
    for _ in range(2):
        approx = taut.fit(model=model, random_seed=SEED, progressbar=False, batch_size=batch_size)
        marks.append(time.perf_counter())
    draws = approx.sample(_DRAWS, random_seed=SEED)["posterior"]["slope"]
    marks.append(time.perf_counter())
    trusted = approx.diagnose().trusted
    marks.append(time.perf_counter())
    mode, sd = newton(x, y)
    seconds = np.diff(marks)
    log_sd = np.log(draws.std(("chain", "draw")).values / sd)
    return Growth(
        rows, *(float(s) for s in seconds), approx.journal.gradients or 0,
        float(np.max(np.abs(draws.mean(("chain", "draw")).values - mode) / sd)),
        float(np.max(np.abs(log_sd))), trusted,
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a table, and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many_rows", description=__doc__)
    parser.add_argument("--rows", default="10000,100000,1000000", help="numbers, with commas")
    parser.add_argument("--batch-size", type=int, help="for a first look at a few rows")
    parser.add_argument("--json", type=Path, help="file for every figure, and the machine")
    options = parser.parse_args(arguments)
    # Programs that are found on disk would compile in no time.
    taut.set_cache_directory(None)
    grown = [measure(int(rows), options.batch_size) for rows in options.rows.split(",")]
    about = machine.describe()
    table = Table("rows", "first, s", "again, s", "1 000 draws, s", "diagnose, s", "gradients",
                  "mean error, sd", "|log sd ratio|", "trusted", title=about["device"])  # fmt: skip
    for fit in grown:
        seconds = (f"{s:.2f}" for s in (fit.first, fit.again, fit.sample, fit.diagnose))
        table.add_row(f"{fit.rows:,}", *seconds, f"{fit.gradients:,}", f"{fit.mean_error:.3f}",
                      f"{fit.log_sd_error:.3f}", "yes" if fit.trusted else "no")  # fmt: skip
    Console(width=120).print(table)
    if options.json:
        told = {"machine": about, "fits": [asdict(fit) for fit in grown]}
        options.json.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
