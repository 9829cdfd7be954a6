"""Models and data sets that the tests of many fits share."""

from functools import cache
from typing import Any

import numpy as np
import pymc as pm

GROUPS = 4


def rows_of(seed: int, count: int) -> dict[str, np.ndarray]:
    """Draw a data set of a line with groups."""
    random = np.random.default_rng(seed)
    group, x = random.integers(0, GROUPS, count), random.normal(size=count)
    level = random.normal(size=GROUPS)
    return {"group": group, "x": x, "y_obs": level[group] + 0.5 * x + random.normal(size=count)}


@cache
def line() -> Any:
    """Return a line with a level for each group, with data of 30 rows of its own."""
    own = rows_of(0, 30)
    with pm.Model(coords={"site": list("abcd")}) as model:
        group = pm.Data("group", own["group"], dims="row")
        x, y_obs = pm.Data("x", own["x"], dims="row"), pm.Data("y_obs", own["y_obs"], dims="row")
        level = pm.Normal("level", 0.0, 2.0, dims="site")
        slope = pm.Normal("slope", 0.0, 1.0)
        mu = pm.Deterministic("mu", level[group] + slope * x, dims="row")
        pm.Normal("y", mu, 1.0, observed=y_obs, dims="row")
    return model


@cache
def mean() -> Any:
    """Return a normal mean of two rows."""
    with pm.Model() as model:
        y_obs = pm.Data("y_obs", np.zeros(2))
        mu = pm.Normal("mu", 0.0, 10.0)
        pm.Normal("y", mu, 1.0, observed=y_obs)
    return model


def posterior_of_mean(y: Any) -> tuple[float, float]:
    """Return mean and standard deviation of `mu`, which are known."""
    precision = 0.01 + len(y)
    return float(np.sum(y)) / precision, precision**-0.5
