"""Stochastic volatility: a latent autoregression under the returns."""

from typing import Any

import numpy as np
import pymc as pm
import pytensor
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


def _parameters() -> tuple[Any, Any, Any]:
    phi = pm.Beta("phi", 20.0, 1.5)
    sigma = pm.HalfNormal("sigma", 0.5)
    return phi, sigma, pm.Normal("level", 0.0, 3.0)


def centred() -> pm.Model:
    """Latent log variances of 500 returns (Kim, Shephard and Chib 1998)."""
    with pm.Model() as model:
        phi, sigma, level = _parameters()
        first = pm.Normal.dist(0.0, sigma / pt.sqrt(1.0 - phi**2))
        h = pm.AR("h", rho=[phi], sigma=sigma, init_dist=first, steps=_STEPS - 1)
        pm.Normal("y", 0.0, pt.exp((level + h) / 2.0), observed=_returns())
    return model


def non_centred() -> pm.Model:
    """The same, of standardised innovations: sigma mixes ten times as well."""
    with pm.Model() as model:
        phi, sigma, level = _parameters()
        z = pm.Normal("z", 0.0, 1.0, shape=_STEPS)
        first = z[0] * sigma / pt.sqrt(1.0 - phi**2)
        rest = pytensor.scan(
            lambda noise, before, phi, sigma: phi * before + sigma * noise,
            sequences=z[1:], outputs_info=first, non_sequences=[phi, sigma],
            return_updates=False,
        )  # fmt: skip
        h = pm.Deterministic("h", pt.concatenate([first[None], rest]))
        pm.Normal("y", 0.0, pt.exp((level + h) / 2.0), observed=_returns())
    return model


POSTERIORS = (
    Posterior(
        "stochastic_volatility", "500 steps", ("time-series", "wide", "centred"), centred,
        twin=non_centred, sampling=Sampling(draws=5000, target_accept=0.9),
    ),
)  # fmt: skip
