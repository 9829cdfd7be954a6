"""Models whose rows come in batches, written once for all ways to give them rows.

Each takes a function that turns whole arrays into what the model observes: `pymc.Minibatch`, the
arrays themselves, or the rows of one batch.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm

Rows = Callable[..., Any]

MINIBATCHES: dict[str, Callable[[Rows], pm.Model]] = {}


def batched(body: Callable[[np.random.Generator, Rows], Any]) -> Callable[[Rows], pm.Model]:
    """Enter a model into the table; its data are seeded."""

    def build(rows: Rows) -> pm.Model:
        with pm.Model() as model:
            body(np.random.default_rng(20240608), rows)
        return model

    MINIBATCHES[body.__name__] = build
    return build


def as_minibatch(*arrays: Any, size: int) -> Any:
    """Let PyMC draw the rows."""
    drawn = pm.Minibatch(*arrays, batch_size=size)
    return drawn if len(arrays) > 1 else [drawn]


def as_they_are(*arrays: Any, size: int) -> Any:
    """Return all rows."""
    return arrays


@batched
def one_array(rng, rows):
    (y,) = rows(rng.normal(1.0, 2.0, size=300), size=16)
    pm.Normal("y", pm.Normal("mu"), pm.HalfNormal("sigma"), observed=y, total_size=300)


@batched
def shared_rows(rng, rows):
    x, y = rows(rng.normal(size=(200, 3)), rng.normal(size=200), size=20)
    mu = pm.Deterministic("mu", x @ pm.Normal("beta", shape=3))
    pm.Normal("y", mu, 1.0, observed=y, total_size=200)


@batched
def groups_and_data(rng, rows):
    index = pm.Data("index", rng.integers(0, 9, size=150))
    count = pm.Data("count", rng.poisson(2.0, size=150))
    index, count = rows(index, count, size=10)
    rate = pm.Gamma("rate", 2.0, 1.0, shape=9)
    pm.Poisson("y", rate[index], observed=count, total_size=150)


@batched
def two_lengths(rng, rows):
    (short,) = rows(rng.normal(size=120), size=8)
    left, right = rows(rng.normal(size=210), rng.normal(size=210), size=12)
    mu = pm.Normal("mu", shape=2)
    pm.Normal("short", mu[0], 1.0, observed=short, total_size=120)
    pm.Normal("long", mu[1] + left, 2.0, observed=right, total_size=210)


@batched
def batch_and_whole(rng, rows):
    (y,) = rows(rng.normal(size=(90, 2)), size=6)
    mu = pm.Normal("mu", shape=2)
    pm.Normal("batched", mu, 1.0, observed=y, total_size=(90, 2))
    pm.Normal("whole", mu.sum(), 1.0, observed=rng.normal(size=80))


@batched
def symbolic_likelihoods(rng, rows):
    """Variables that PyMC makes of other variables, each with a batch's size in its inside."""
    whole = [np.clip(rng.normal(size=60), -1.0, 1.0) for _ in range(6)]
    x, one, two, three, four, five = rows(*whole, size=10)
    mu = pm.Normal("mu") * x
    pm.Censored("one", pm.Normal.dist(mu), lower=-1.0, upper=1.0, observed=one, total_size=60)
    pm.Truncated("two", pm.Normal.dist(mu), lower=-2.0, upper=2.0, observed=two, total_size=60)
    parts = [pm.Normal.dist(mu, 1.0), pm.StudentT.dist(4.0, mu, sigma=2.0)]
    pm.Mixture("three", pm.Dirichlet("w", np.ones(2)), parts, observed=three, total_size=60)
    pm.CustomDist("four", mu, logp=lambda y, mu: -((y - mu) ** 2), observed=four, total_size=60)
    pm.CustomDist("five", mu, dist=_shifted, observed=five, total_size=60)


def _shifted(mu, size):
    return 1.0 + pm.Normal.dist(mu, size=size)


@batched
def discrete_likelihoods(rng, rows):
    kinds = [rng.integers(0, 3, size=80, dtype="int32") for _ in range(4)]
    flag = kinds[0] % 2
    x, flag, *kinds = rows(rng.normal(size=(80, 3)), flag, *kinds, size=8)
    eta = x @ pm.Normal("beta", shape=(3, 3))
    pm.Bernoulli("flag", logit_p=eta[:, 0], observed=flag, total_size=80)
    pm.Categorical("kind", logit_p=eta, observed=kinds[0], total_size=80)
    pm.OrderedLogistic(
        "step", eta=eta[:, 1], cutpoints=[-1.0, 1.0], observed=kinds[1], total_size=80
    )
    pm.ZeroInflatedPoisson("zero", 0.5, pm.math.exp(eta[:, 1]), observed=kinds[2], total_size=80)
    pm.NegativeBinomial(
        "count", mu=pm.math.exp(eta[:, 2]), alpha=2.0, observed=kinds[3], total_size=80
    )


@batched
def vectors_as_rows(rng, rows):
    (y,) = rows(rng.normal(size=(70, 2)), size=7)
    mu = pm.Normal("mu", shape=2)
    pm.MvNormal("y", mu, cov=np.eye(2) + 0.2, observed=y, total_size=(70, ...))


@batched
def potential_of_rows(rng, rows):
    (y,) = rows(rng.normal(size=50), size=5)
    each = pm.logp(pm.Normal.dist(pm.Normal("mu"), 1.0), y)
    pm.Potential("y", each.sum() * 50 / each.shape[0])
