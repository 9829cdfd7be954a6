"""Item response theory: two parameters an item, one a person."""

import numpy as np
import pymc as pm

from benchmarks.posteriors.base import Posterior, Sampling

_PERSONS, _ITEMS = 400, 50


def item_response() -> pm.Model:
    """The 2PL model: 400 abilities, 50 difficulties and discriminations, 20 000 answers."""
    rng = np.random.default_rng(18)
    ability, difficulty = rng.normal(size=(_PERSONS, 1)), rng.normal(size=_ITEMS)
    logit = rng.lognormal(0.0, 0.4, size=_ITEMS) * (ability - difficulty)
    answers = rng.binomial(1, 1.0 / (1.0 + np.exp(-logit)))
    with pm.Model() as model:
        theta = pm.Normal("ability", 0.0, 1.0, shape=_PERSONS)
        b = pm.Normal("difficulty", 0.0, 1.0, shape=_ITEMS)
        a = pm.LogNormal("discrimination", 0.0, 0.5, shape=_ITEMS)
        pm.Bernoulli("y", logit_p=a * (theta[:, None] - b), observed=answers)
    return model


POSTERIORS = (
    Posterior(
        "item_response",
        "2PL, 20 000 answers",
        ("item-response", "wide", "rows"),
        item_response,
        sampling=Sampling(target_accept=0.8),
    ),
)
