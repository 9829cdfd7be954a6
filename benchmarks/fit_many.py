"""Many hierarchical data sets by `taut.fit_many`, beside a loop of `taut.fit` and one of `pm.fit`.

``python -m benchmarks fit-many --sets 1000 --compared 20`` prints CPU seconds of all threads. The
loops are timed on a few of the data sets. What is written of these is compared with the single fit,
in its standard deviations, and ``--nuts 5`` compares as many with long runs of NUTS too.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm

import taut

GROUPS, SHORTEST, LONGEST = 8, 20, 200
GLOBALS = ("mu", "tau", "slope")
KINDS = ("normal", "binary")
Rows = dict[str, np.ndarray]


def drawn(random: np.random.Generator, rows: str) -> Rows:
    """Draw a data set of 20 to 200 rows."""
    count = int(random.integers(SHORTEST, LONGEST + 1))
    group, x = random.integers(0, GROUPS, count), random.normal(size=count)
    level = random.normal() + abs(random.normal()) * random.normal(size=GROUPS)
    eta = level[group] + random.normal(0.0, 0.5) * x
    if rows == "normal":
        y = random.normal(eta, 0.8)
    else:
        y = random.binomial(1, 1.0 / (1.0 + np.exp(-eta)))
    return {"group": group, "x": x, "y_obs": y}


def model_of(own: Rows, rows: str, *, centred: bool) -> Any:
    """Build the hierarchy for data sets like one."""
    with pm.Model() as model:
        data = {name: pm.Data(name, values) for name, values in own.items()}
        mu, tau = pm.Normal("mu", 0.0, 2.0), pm.HalfNormal("tau", 1.0)
        slope = pm.Normal("slope", 0.0, 1.0)
        if centred:
            level: Any = pm.Normal("level", mu, tau, shape=GROUPS)
        else:
            level = mu + tau * pm.Normal("z", 0.0, 1.0, shape=GROUPS)
        eta = level[data["group"]] + slope * data["x"]
        if rows == "normal":
            pm.Normal("y", eta, pm.HalfNormal("sigma", 1.0), observed=data["y_obs"])
        else:
            pm.Bernoulli("y", logit_p=eta, observed=data["y_obs"])
    return model


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return CPU seconds and what is returned."""
    begin = time.process_time()
    found = call()
    return time.process_time() - begin, found


def globals_of(posterior: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return means and standard deviations of the global variables."""
    values = np.array([np.ravel(posterior[name]) for name in GLOBALS])
    return values.mean(axis=1), values.std(axis=1)


def away(one: Any, other: Any) -> tuple[float, float]:
    """Return how far means are apart, in standard deviations, and logarithms of these."""
    (mean, std), (expected, known) = globals_of(one), globals_of(other)
    return float(np.abs((mean - expected) / known).max()), float(np.abs(np.log(std / known)).max())


def compared(
    model: Any, sets: list[Rows], many: taut.ManyFits, name: str, fit: Callable[[int], Any]
) -> None:
    """Fit some data sets in a loop, and say how far they are from the many."""
    seconds, apart = 0.0, []
    for key, one in enumerate(sets):
        with model:
            pm.set_data(one)
        spent, posterior = timed(lambda key=key: fit(key))
        seconds += spent
        approx = many[key]
        if isinstance(approx, taut.Approximation):
            apart.append(away(approx.sample(2000, random_seed=1)["posterior"], posterior))
    means, spreads = np.array(apart).T
    print(
        f"  {name}: {seconds / len(sets):.2f} CPU s each; means {np.median(means):.3f} sd apart, "
        f"{means.max():.3f} at most; log sd {np.median(spreads):.3f}, {spreads.max():.3f} at most",
        flush=True,
    )


def run(rows: str, *, centred: bool, options: argparse.Namespace) -> None:
    """Fit the data sets of one kind."""
    random = np.random.default_rng(1)
    sets = [drawn(random, rows) for _ in range(options.sets)]
    model = model_of(sets[0], rows, centred=centred)
    how: dict[str, Any] = {"random_seed": 1, "progressbar": False}
    seconds, many = timed(lambda: taut.fit_many(model, sets, **how))
    alone = sum(
        "chains side by side" not in fit.journal.stages[0].name for fit in many.fitted.values()
    )
    print(
        f"{rows} rows, {'centred' if centred else 'non-centred'}: {len(sets)} data sets in "
        f"{seconds:.1f} CPU s; {many!r}, {alone} of them fitted alone",
        flush=True,
    )
    some = sets[: options.compared]

    def single(key: int) -> Any:
        approx = taut.fit(model=model, random_seed=many.seeds[key], progressbar=False)
        return approx.sample(2000, random_seed=1)["posterior"]

    def by_pymc(key: int) -> Any:
        approx = pm.fit(10_000, model=model, random_seed=key, progressbar=False)
        return approx.sample(2000, random_seed=1)["posterior"]

    def by_nuts(key: int) -> Any:
        draws: Any = pm.sample(
            4000, tune=1000, chains=4, cores=1, model=model, random_seed=key, progressbar=False,
            nuts_sampler="nutpie", target_accept=0.95,
        )  # fmt: skip
        return draws["posterior"]

    compared(model, some, many, "taut.fit", single)
    if options.pymc:
        compared(model, sets[: options.pymc], many, "pm.fit", by_pymc)
    if options.nuts:
        compared(model, sets[: options.nuts], many, "NUTS", by_nuts)


def main(arguments: list[str]) -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks fit-many", description=__doc__)
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--compared", type=int, default=20, help="data sets in loops of taut.fit")
    parser.add_argument("--pymc", type=int, default=3, help="of pm.fit")
    parser.add_argument("--nuts", type=int, default=0, help="of NUTS by nutpie")
    parser.add_argument("--rows", choices=KINDS, action="append")
    parser.add_argument("--only", choices=("centred", "non-centred"))
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    for rows in options.rows or KINDS:
        for name in ("centred", "non-centred"):
            if options.only in (None, name):
                run(rows, centred=name == "centred", options=options)
