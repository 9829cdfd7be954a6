"""Logistic regression on many rows."""

import numpy as np
import pymc as pm

from benchmarks.posteriors.base import Posterior


def logistic() -> pm.Model:
    """Logistic regression, 10 000 rows of 50 correlated columns."""
    rng = np.random.default_rng(10)
    x = rng.normal(size=(10_000, 50)) + rng.normal(size=(10_000, 1))
    logit = 0.5 - x @ rng.normal(0.0, 0.3, size=50)
    with pm.Model() as model:
        intercept = pm.Normal("intercept", 0.0, 5.0)
        b = pm.Normal("b", 0.0, 1.0, shape=50)
        observed = rng.binomial(1, 1.0 / (1.0 + np.exp(-logit)))
        pm.Bernoulli("y", logit_p=intercept + pm.math.dot(x, b), observed=observed)
    return model


POSTERIORS = (Posterior("logistic", "10 000 x 50", ("regression", "glm", "rows"), logistic),)
