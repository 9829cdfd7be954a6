"""Fits of many data sets on one, two and four devices, for `test_many`."""

from functools import cache
from typing import Any

import numpy as np
import pymc as pm

import taut
from devices.on_four import write_found

SETS = 36
COUNTS = (None, 2, 4)


@cache
def model() -> pm.Model:
    """A hierarchy with a scale for its levels."""
    with pm.Model() as model:
        group, y_obs = pm.Data("group", np.zeros(30, int)), pm.Data("y_obs", np.zeros(30))
        level = pm.Normal("level", pm.Normal("mu", 0, 5), pm.HalfNormal("s", 1), shape=3)
        pm.Normal("y", level[group], 1.0, observed=y_obs)
    return model


def data_set(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    group = random.integers(0, 3, 20 + seed)
    return {"group": group, "y_obs": random.normal(size=3)[group] + random.normal(size=len(group))}


def fits(devices: Any) -> dict[Any, np.ndarray]:
    """Return draws of each data set."""
    sets = [data_set(seed) for seed in range(SETS)]
    many = taut.fit_many(model(), sets, random_seed=1, progressbar=False, devices=devices)
    return {
        key: np.asarray(one.unconstrained_draws(1000, random_seed=2)) for key, one in many.items()
    }


def one_by_one() -> None:
    taut.fit_many(model(), [data_set(0)], random_seed=1, progressbar=False, devices=2)


if __name__ == "__main__":
    by_count = {str(count): (lambda count=count: fits(count)) for count in COUNTS}
    write_found({**by_count, "one by one": one_by_one})
