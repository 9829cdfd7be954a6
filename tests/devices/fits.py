"""Fits on one, two, three and four devices, for `test_fits`."""

from functools import partial
from typing import Any

import jax
import numpy as np
import pymc as pm

import taut
from devices.on_four import write_found

COUNTS = (None, 2, 3, 4)
ROWS, GROUPS = 1003, 8
# By name, what is given to `taut.fit`.
STEPS: dict[str, dict[str, Any]] = {
    "advi in batches": {"n": 600, "method": "advi", "batch_size": 50},
    "advi in ragged batches": {"n": 300, "method": "advi", "batch_size": 47, "shuffle": False},
    "advi on all rows": {"n": 300, "method": "advi"},
    "advi, its step size found": {"n": 400, "method": "advi", "step_size": "auto"},
    "full rank in batches": {"n": 300, "method": "fullrank_advi", "batch_size": 64},
    "svgd": {"n": 30, "method": "svgd"},
}
DIRECT: dict[str, dict[str, Any]] = {
    "automatic": {},
    "automatic, a part of the rows first": {"batch_size": 100},
    "batch and match": {"method": "batch_match"},
    "laplace": {"method": "laplace"},
    "pathfinder": {"method": "pathfinder"},
}
GROUPS_OUT: dict[str, dict[str, Any]] = {
    "latents integrated out": {"method": "marginal"},
    "automatic, latents integrated out": {},
}


def regression() -> pm.Model:
    """A posterior that is nearly Gaussian, in an odd number of rows."""
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 3))
    y = x @ [1.0, -2.0, 0.5] + 0.3 + random.normal(size=ROWS)
    with pm.Model() as model:
        slope, level = pm.Normal("slope", 0, 2, shape=3), pm.Normal("level", 0, 2)
        pm.Normal("y", pm.math.dot(x, slope) + level, pm.HalfNormal("s", 2), observed=y)
    return model


def hierarchy() -> pm.Model:
    """A funnel, whose chains go on for long."""
    random = np.random.default_rng(0)
    group, y = random.integers(0, GROUPS, ROWS), random.normal(size=ROWS)
    with pm.Model() as model:
        level = pm.Normal("level", 0, pm.HalfNormal("t", 1), shape=GROUPS)
        pm.Normal("y", level[group], 1.0, observed=y)
    return model


def groups() -> pm.Model:
    """Many latents, which are integrated out."""
    random = np.random.default_rng(0)
    group = np.repeat(np.arange(400), 4)
    y = random.poisson(np.exp(0.5 * random.normal(size=400)[group]))
    with pm.Model() as model:
        level = pm.Normal("level", pm.Normal("mu", 0, 2), pm.HalfNormal("s", 2), shape=400)
        pm.Poisson("y", pm.math.exp(level[group]), observed=y)
    return model


def fit(model: pm.Model, devices: Any, how: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the losses, and draws."""
    approx = taut.fit(model=model, random_seed=1, progressbar=False, devices=devices, **how)
    z = approx.unconstrained_draws(200, random_seed=2)
    return {"losses": approx.hist, "draws": np.asarray(z)}


def ways_to_say_two() -> list[dict[str, np.ndarray]]:
    """Fit on two devices that are said in all ways there are."""
    two = jax.devices()[:2]
    mesh = jax.sharding.Mesh(np.array(two), ("any",))
    return [fit(regression(), devices, STEPS["svgd"]) for devices in (2, two, mesh)]


def from_a_source() -> list[dict[str, np.ndarray]]:
    """Fit rows of a source on one device and on three, and look at each row afterwards."""
    random = np.random.default_rng(0)
    y_rows = random.normal(size=ROWS)
    with pm.Model() as model:
        y = pm.Data("y_rows", np.zeros(2))
        pm.Normal("y", pm.Normal("mu"), 1.0, observed=y)
    found = []
    for devices in (None, 3):
        approx = taut.fit(
            300, "advi", model, 1, batch_size=40, rows=taut.ArrayRows({"y_rows": y_rows}),
            devices=devices, progressbar=False,
        )  # fmt: skip
        rows = approx.log_likelihood(20, random_seed=1)["log_likelihood"]["y"].values
        found.append({"losses": approx.hist, "rows": rows.reshape(20, -1)})
    return found


def elsewhere() -> dict[str, np.ndarray]:
    """Fit on devices of which none is the first."""
    return fit(regression(), jax.devices()[2:], STEPS["advi in batches"])


def judged() -> list[float]:
    """Judge fits on one device and on three."""
    fits = [
        taut.fit(300, "advi", regression(), 1, progressbar=False, devices=devices)
        for devices in (None, 3)
    ]
    reports = [one.diagnose(random_seed=1) for one in fits]
    return [report.weights.khat for report in reports if report.weights is not None]


def many(model: Any, how: dict[str, Any]) -> dict[Any, dict[str, np.ndarray]]:
    return {devices: fit(model(), devices, how) for devices in COUNTS}


if __name__ == "__main__":
    write_found(
        {
            **{name: partial(many, regression, how) for name, how in (STEPS | DIRECT).items()},
            "chains": partial(many, hierarchy, {}),
            **{name: partial(many, groups, how) for name, how in GROUPS_OUT.items()},
            "ways to say two": ways_to_say_two,
            "elsewhere": elsewhere,
            "from a source": from_a_source,
            "judged": judged,
        }
    )
