"""Latent functions, paths, factors and abilities."""

import numpy as np
import pymc as pm

from benchmarks.posteriors.base import Posterior, Sampling


def latent_gp() -> pm.Model:
    """Counts along a line with a Gaussian process as log rate, at 40 points."""
    rng = np.random.default_rng(45)
    x = np.linspace(0.0, 1.0, 40)
    y = rng.poisson(np.exp(1.0 + np.sin(6.0 * x)))
    with pm.Model() as model:
        scale = pm.InverseGamma("scale", 5.0, 1.0)
        size = pm.HalfNormal("size", 1.0)
        mean = pm.Normal("mean", 0.0, 2.0)
        z = pm.Normal("z", 0.0, 1.0, shape=40)
        cov = size**2 * pm.gp.cov.Matern52(1, ls=scale)(x[:, None]) + 1e-6 * np.eye(40)
        pm.Poisson("y", pm.math.exp(mean + pm.math.dot(pm.math.cholesky(cov), z)), observed=y)
    return model


def volatility_walk() -> pm.Model:
    """Returns of 150 days whose log volatility is a random walk."""
    rng = np.random.default_rng(46)
    log_sd = -0.5 + np.cumsum(rng.normal(0.0, 0.12, 150))
    y = rng.standard_t(8.0, 150) * np.exp(log_sd)
    with pm.Model() as model:
        step = pm.Exponential("step", 10.0)
        nu = pm.Gamma("nu", 2.0, 0.1)
        start = pm.Normal("start", 0.0, 1.0)
        z = pm.Normal("z", 0.0, 1.0, shape=149)
        walk = pm.math.concatenate([start[None], start + step * pm.math.cumsum(z)])
        pm.StudentT("y", nu=nu, mu=0.0, sigma=pm.math.exp(walk), observed=y)
    return model


def factor_model() -> pm.Model:
    """Six measures of 100 persons by one factor, with positive loadings."""
    rng = np.random.default_rng(47)
    loadings = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    y = rng.normal(size=(100, 1)) * loadings + rng.normal(0.0, 0.5, (100, 6))
    with pm.Model() as model:
        weight = pm.HalfNormal("weight", 1.0, shape=6)
        mean = pm.Normal("mean", 0.0, 1.0, shape=6)
        sigma = pm.HalfNormal("sigma", 1.0, shape=6)
        factor = pm.Normal("factor", 0.0, 1.0, shape=(100, 1))
        pm.Normal("y", mean + factor * weight, sigma, observed=y)
    return model


def rasch() -> pm.Model:
    """Answers of 120 persons to 20 questions, with one ability and one difficulty each."""
    rng = np.random.default_rng(48)
    logit = rng.normal(0.0, 1.2, (120, 1)) - rng.normal(0.0, 1.0, 20)
    y = (rng.random((120, 20)) < 1.0 / (1.0 + np.exp(-logit))).astype(int)
    with pm.Model() as model:
        sd = pm.HalfNormal("sd", 2.0, shape=2)
        mean = pm.Normal("mean", 0.0, 1.0)
        ability = pm.Normal("ability", 0.0, 1.0, shape=(120, 1))
        difficulty = pm.Normal("difficulty", 0.0, 1.0, shape=20)
        pm.Bernoulli("y", logit_p=mean + sd[0] * ability - sd[1] * difficulty, observed=y)
    return model


POSTERIORS = (
    Posterior(
        "latent_gp", "Poisson, 40 points", ("gallery",), latent_gp,
        sampling=Sampling(draws=8000, target_accept=0.95),
    ),
    Posterior("volatility_walk", "150 days", ("gallery",), volatility_walk, scales={"nu": "log"}),
    Posterior(
        "factor_model", "100 persons, 6 measures", ("gallery",), factor_model,
        sampling=Sampling(draws=8000),
    ),
    Posterior(
        "rasch", "120 persons, 20 questions", ("gallery",), rasch, scales={"sd": "log"},
        sampling=Sampling(draws=8000),
    ),
)  # fmt: skip
