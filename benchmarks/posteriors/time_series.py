"""Autoregressions whose recursion is a scan."""

from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt

from benchmarks.posteriors.base import Posterior

_STEPS = 200


def _series(seed: int, phi: float, theta: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.normal(0.0, 0.6, size=_STEPS)
    y = np.empty(_STEPS)
    y[0] = 1.0 + noise[0]
    for t in range(1, _STEPS):
        y[t] = 0.4 + phi * y[t - 1] + theta * noise[t - 1] + noise[t]
    return y


def _priors() -> tuple[Any, Any, Any]:
    level = pm.Normal("level", 0.0, 2.0)
    phi = pm.Uniform("phi", -1.0, 1.0)
    return level, phi, pm.HalfNormal("sigma", 1.0)


def autoregression() -> pm.Model:
    """A first-order autoregression whose mean is run forward step by step."""
    y = _series(15, 0.7, 0.0)
    with pm.Model() as model:
        level, phi, sigma = _priors()
        means = pytensor.scan(
            lambda before, level, phi: level + phi * before,
            sequences=pt.as_tensor_variable(y[:-1]),
            non_sequences=[level, phi],
            return_updates=False,
        )
        pm.Normal("y", means, sigma, observed=y[1:])
    return model


def arma() -> pm.Model:
    """ARMA(1, 1), with the first innovation unknown."""
    y = _series(16, 0.6, 0.5)
    with pm.Model() as model:
        level, phi, sigma = _priors()
        theta = pm.Uniform("theta", -1.0, 1.0)
        first = pm.Normal("first", 0.0, 1.0)
        errors = pytensor.scan(
            lambda before, now, error, level, phi, theta: (
                now - level - phi * before - theta * error
            ),
            sequences=[pt.as_tensor_variable(y[:-1]), pt.as_tensor_variable(y[1:])],
            outputs_info=[first],
            non_sequences=[level, phi, theta],
            return_updates=False,
        )
        pm.Potential("y", pm.logp(pm.Normal.dist(0.0, sigma), errors).sum())
    return model


_KINDS = ("time-series", "scan")
POSTERIORS = (
    Posterior("autoregression", "200 steps", _KINDS, autoregression),
    Posterior("arma", "200 steps, ARMA(1, 1)", _KINDS, arma),
)
