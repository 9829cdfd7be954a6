"""A covariance matrix under an LKJ prior."""

import numpy as np
import pymc as pm

from benchmarks.posteriors.base import Posterior

_COVARIANCE = np.array([[1.0, 0.9, -0.4], [0.9, 2.0, 0.1], [-0.4, 0.1, 0.5]])


def covariance() -> pm.Model:
    """Mean and covariance of 80 trivariate normal rows."""
    rng = np.random.default_rng(7)
    observed = rng.multivariate_normal([1.0, 0.0, -1.0], _COVARIANCE, size=80)
    with pm.Model() as model:
        scales = pm.HalfNormal.dist(2.0, shape=3)
        chol, _, _ = pm.LKJCholeskyCov("chol", n=3, eta=2.0, sd_dist=scales)
        mu = pm.Normal("mu", 0.0, 5.0, shape=3)
        pm.MvNormal("y", mu, chol=chol, observed=observed)
    return model


POSTERIORS = (Posterior("covariance", "LKJ, 3 x 3", ("small", "lkj"), covariance),)
