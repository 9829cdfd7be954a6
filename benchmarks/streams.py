"""Ten months of rows by `approx.update`, beside one fit of all rows.

``python -m benchmarks streams --rows 20000`` prints CPU seconds of all threads: of the first fit,
of each update, of one fit of all rows, and of ten fits, each of all rows by then. The result is
compared with the fit of all rows in its standard deviations.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pymc as pm

import taut

MONTHS, COVARIATES, GROUPS = 10, 20, 30
KINDS = ("logistic", "hierarchy")
Rows = dict[str, np.ndarray]


def drawn(kind: str, lengths: list[int]) -> list[Rows]:
    """Draw the rows of each month."""
    random = np.random.default_rng(3)
    slopes, level = random.normal(0.0, 0.5, COVARIATES), random.normal(1.0, 0.6, GROUPS)
    months = []
    for count in lengths:
        if kind == "logistic":
            x = random.normal(size=(count, COVARIATES))
            y = random.binomial(1, 1.0 / (1.0 + np.exp(0.5 - x @ slopes)))
            months.append({"x": x, "y_obs": y})
        else:
            group, x = random.integers(0, GROUPS, count), random.normal(size=count)
            y = random.normal(level[group] + 0.4 * x, 1.0)
            months.append({"group": group, "x": x, "y_obs": y})
    return months


def model_of(kind: str, own: Rows) -> Any:
    """Build the model of some rows."""
    with pm.Model() as model:
        data = {name: pm.Data(name, values) for name, values in own.items()}
        if kind == "logistic":
            slope = pm.Normal("slope", 0.0, 1.0, shape=COVARIATES)
            eta = pm.Normal("base", 0.0, 2.0) + data["x"] @ slope
            pm.Bernoulli("y", logit_p=eta, observed=data["y_obs"])
        else:
            mu, tau = pm.Normal("mu", 0.0, 2.0), pm.HalfNormal("tau", 1.0)
            level = pm.Normal("level", mu, tau, shape=GROUPS)
            eta = level[data["group"]] + pm.Normal("slope", 0.0, 1.0) * data["x"]
            pm.Normal("y", eta, pm.HalfNormal("sigma", 1.0), observed=data["y_obs"])
    return model


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return CPU seconds and what is returned."""
    begin = time.process_time()
    found = call()
    return time.process_time() - begin, found


def joined(months: list[Rows]) -> Rows:
    """Join the rows of some months."""
    return {name: np.concatenate([one[name] for one in months]) for name in months[0]}


def away(approx: taut.Approximation, whole: taut.Approximation) -> tuple[float, float]:
    """Return how far means are apart, in standard deviations, and logarithms of these."""
    one, other = (fit.unconstrained_draws(20_000, 1) for fit in (approx, whole))
    means = (one.mean(axis=0) - other.mean(axis=0)) / other.std(axis=0)
    spreads = np.log(one.std(axis=0) / other.std(axis=0))
    return float(np.abs(means).max()), float(np.abs(spreads).max())


def run(kind: str, lengths: list[int], name: str, *, each: bool) -> None:
    """Fit the first month, update by the others, and compare with fits of all rows."""
    months = drawn(kind, lengths)
    model = model_of(kind, months[0])
    fit = lambda rows: taut.fit(model=model_of(kind, rows), random_seed=1, progressbar=False)  # noqa: E731
    first, approx = timed(lambda: taut.fit(model=model, random_seed=1, progressbar=False))
    spent: list[float] = []
    for seed, month in enumerate(months[1:]):
        seconds, approx = timed(partial(approx.update, month, random_seed=seed))
        spent.append(seconds)
    whole_seconds, whole = timed(lambda: fit(joined(months)))
    by_then = 0.0
    if each:
        by_then = sum(timed(lambda i=i: fit(joined(months[:i])))[0] for i in range(1, MONTHS))
    a_month = f", a fit each month {by_then + whole_seconds:.2f}" if each else ""
    means, spreads = away(approx, whole)
    print(
        f"{kind}, months of {name} length, {sum(lengths):,d} rows: first fit {first:.2f} CPU s, "
        f"updates {spent[0]:.2f} and then {np.mean(spent[1:]):.2f} each, "
        f"{sum(spent):.2f} together; "
        f"one fit of all {whole_seconds:.2f}{a_month}; "
        f"means {means:.3f} sd apart, log sd {spreads:.3f}; {approx.report.verdict}",
        flush=True,
    )


def main(arguments: list[str]) -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks streams", description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000, help="of a month")
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--each", action="store_true", help="fit all rows by then each month, too")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    random = np.random.default_rng(5)
    unequal = random.integers(options.rows // 2, 3 * options.rows // 2, MONTHS).tolist()
    for kind in options.kind or KINDS:
        run(kind, [options.rows] * MONTHS, "equal", each=options.each)
        run(kind, unequal, "unequal", each=options.each)
