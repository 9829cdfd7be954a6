"""Eight schools (Rubin 1981), in both parametrisations."""

import numpy as np
import pymc as pm

from benchmarks.posteriors.base import Posterior, Sampling

_EFFECT = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
_ERROR = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
_CAREFUL = Sampling(draws=5000, target_accept=0.97)


def centred() -> pm.Model:
    """The schools' effects are variables: a funnel at small spreads."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 0.0, 5.0)
        tau = pm.HalfCauchy("tau", 5.0)
        theta = pm.Normal("theta", mu, tau, shape=8)
        pm.Normal("y", theta, _ERROR, observed=_EFFECT)
    return model


def non_centred() -> pm.Model:
    """The schools' standardised effects are variables."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 0.0, 5.0)
        tau = pm.HalfCauchy("tau", 5.0)
        z = pm.Normal("z", 0.0, 1.0, shape=8)
        theta = pm.Deterministic("theta", mu + tau * z)
        pm.Normal("y", theta, _ERROR, observed=_EFFECT)
    return model


_KINDS = ("small", "hierarchical")
_HEAVY = {"tau": "log"}
POSTERIORS = (
    Posterior(
        "schools_non_centred", "eight schools", (*_KINDS, "non-centred"), non_centred,
        scales=_HEAVY, sampling=_CAREFUL,
    ),
    Posterior(
        "schools_centred", "eight schools", (*_KINDS, "centred", "funnel"), centred,
        twin=non_centred, scales=_HEAVY, sampling=_CAREFUL,
    ),
)  # fmt: skip
