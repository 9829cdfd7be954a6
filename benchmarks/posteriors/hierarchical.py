"""Intercepts and slopes of 85 groups, in both parametrisations."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm

from benchmarks.posteriors.base import Posterior, Sampling

_GROUPS, _ROWS = 85, 900


@dataclass(frozen=True)
class _Houses:
    """Rows of a survey in groups of very different sizes."""

    group: np.ndarray
    floor: np.ndarray
    y: np.ndarray


def _houses() -> _Houses:
    rng = np.random.default_rng(11)
    sizes = rng.dirichlet(np.full(_GROUPS, 0.8))
    # At least one row a group.
    group = np.sort(np.append(np.arange(_GROUPS), rng.choice(_GROUPS, _ROWS - _GROUPS, p=sizes)))
    floor = rng.binomial(1, 0.2, size=_ROWS).astype(float)
    a, b = rng.normal(1.5, 0.3, size=_GROUPS), rng.normal(-0.7, 0.25, size=_GROUPS)
    return _Houses(group, floor, rng.normal(a[group] + b[group] * floor, 0.75))


def _hyperparameters() -> tuple[Any, Any, Any]:
    mean = pm.Normal("mean", 0.0, 5.0, shape=2)
    spread = pm.HalfNormal("spread", 2.0, shape=2)
    return mean, spread, pm.HalfNormal("sigma", 2.0)


def centred() -> pm.Model:
    """The groups' intercepts and slopes are variables."""
    houses = _houses()
    with pm.Model() as model:
        mean, spread, sigma = _hyperparameters()
        a = pm.Normal("a", mean[0], spread[0], shape=_GROUPS)
        b = pm.Normal("b", mean[1], spread[1], shape=_GROUPS)
        pm.Normal("y", a[houses.group] + b[houses.group] * houses.floor, sigma, observed=houses.y)
    return model


def non_centred() -> pm.Model:
    """The standardised intercepts and slopes are variables."""
    houses = _houses()
    with pm.Model() as model:
        mean, spread, sigma = _hyperparameters()
        z = pm.Normal("z", 0.0, 1.0, shape=(2, _GROUPS))
        a = pm.Deterministic("a", mean[0] + spread[0] * z[0])
        b = pm.Deterministic("b", mean[1] + spread[1] * z[1])
        pm.Normal("y", a[houses.group] + b[houses.group] * houses.floor, sigma, observed=houses.y)
    return model


_SAMPLING = Sampling(draws=10_000, target_accept=0.95)
POSTERIORS = (
    Posterior(
        "hierarchical_non_centred", "900 rows in 85 groups", ("hierarchical", "non-centred"),
        non_centred, sampling=_SAMPLING,
    ),
    Posterior(
        "hierarchical_centred", "900 rows in 85 groups", ("hierarchical", "centred", "funnel"),
        centred, twin=non_centred, sampling=_SAMPLING,
    ),
)  # fmt: skip
