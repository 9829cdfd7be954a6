"""Sparse regression with more columns than rows."""

import numpy as np
import pymc as pm

from benchmarks.posteriors.base import Posterior, Sampling

_ROWS, _COLUMNS = 60, 80


def horseshoe() -> pm.Model:
    """The regularised horseshoe of Piironen and Vehtari (2017), non-centred."""
    rng = np.random.default_rng(12)
    x = rng.normal(size=(_ROWS, _COLUMNS))
    y = x[:, :4] @ np.array([3.0, -2.5, 2.0, 1.5]) + rng.normal(size=_ROWS)
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 2.0)
        tau = pm.HalfCauchy("tau", 0.1)
        local = pm.HalfCauchy("local", 1.0, shape=_COLUMNS)
        slab = pm.InverseGamma("slab", 2.0, 8.0)
        z = pm.Normal("z", 0.0, 1.0, shape=_COLUMNS)
        shrunk = local * pm.math.sqrt(slab / (slab + tau**2 * local**2))
        pm.Normal("y", pm.math.dot(x, z * tau * shrunk), sigma, observed=y)
    return model


POSTERIORS = (
    Posterior(
        "horseshoe", "60 rows, 80 columns", ("regression", "sparse", "tails", "funnel"), horseshoe,
        scales={"tau": "log", "local": "log", "slab": "log"},
        sampling=Sampling(draws=16_000, tune=3000, target_accept=0.99),
    ),
)  # fmt: skip
