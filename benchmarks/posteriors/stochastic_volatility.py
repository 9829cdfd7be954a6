"""Stochastic volatility: a latent autoregression under the returns."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from benchmarks.posteriors.base import Posterior, Sampling

_STEPS = 500


def _returns() -> np.ndarray:
    rng = np.random.default_rng(14)
    h = np.zeros(_STEPS)
    h[0] = rng.normal() * 0.25 / np.sqrt(1 - 0.95**2)
    for t in range(1, _STEPS):
        h[t] = 0.95 * h[t - 1] + 0.25 * rng.normal()
    return np.exp((h - 1.0) / 2.0) * rng.normal(size=_STEPS)


def stochastic_volatility() -> pm.Model:
    """Latent log variances of 500 returns (Kim, Shephard and Chib 1998), centred."""
    with pm.Model() as model:
        phi = pm.Beta("phi", 20.0, 1.5)
        sigma = pm.HalfNormal("sigma", 0.5)
        level = pm.Normal("level", 0.0, 3.0)
        first = pm.Normal.dist(0.0, sigma / pt.sqrt(1.0 - phi**2))
        h = pm.AR("h", rho=[phi], sigma=sigma, init_dist=first, steps=_STEPS - 1)
        pm.Normal("y", 0.0, pt.exp((level + h) / 2.0), observed=_returns())
    return model


POSTERIORS = (
    Posterior(
        "stochastic_volatility", "500 steps", ("time-series", "wide", "centred"),
        stochastic_volatility, sampling=Sampling(draws=6000, tune=2000, target_accept=0.95),
    ),
)  # fmt: skip
