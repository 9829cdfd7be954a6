"""Varying intercepts and slopes, crossed factors, growth curves and proportions."""

import numpy as np
import pymc as pm

from benchmarks.posteriors.base import Posterior, Sampling


def varying_slopes() -> pm.Model:
    """Intercept and slope of 20 groups with a correlation between them, 300 rows."""
    rng = np.random.default_rng(41)
    group, x = rng.integers(0, 20, 300), rng.normal(size=300)
    effects = rng.multivariate_normal([1.0, -0.5], [[0.5, -0.2], [-0.2, 0.3]], size=20)
    y = effects[group, 0] + effects[group, 1] * x + rng.normal(0.0, 0.7, 300)
    with pm.Model() as model:
        chol, _, _ = pm.LKJCholeskyCov(
            "chol", n=2, eta=2.0, sd_dist=pm.Exponential.dist(1.0, size=2)
        )
        mean = pm.Normal("mean", 0.0, 2.0, shape=2)
        z = pm.Normal("z", 0.0, 1.0, shape=(2, 20))
        both = mean[:, None] + chol @ z
        sigma = pm.HalfNormal("sigma", 1.0)
        pm.Normal("y", both[0, group] + both[1, group] * x, sigma, observed=y)
    return model


def crossed_factors() -> pm.Model:
    """Yes or no of 40 subjects to 25 items, each pair once: two crossed intercepts."""
    rng = np.random.default_rng(42)
    subject, item = np.divmod(np.arange(1000), 25)
    logit = 0.3 + rng.normal(0.0, 0.8, 40)[subject] + rng.normal(0.0, 0.5, 25)[item]
    y = (rng.random(1000) < 1.0 / (1.0 + np.exp(-logit))).astype(int)
    with pm.Model() as model:
        mu = pm.Normal("mu", 0.0, 1.5)
        sd = pm.HalfNormal("sd", 1.0, shape=2)
        a, b = pm.Normal("a", 0.0, 1.0, shape=40), pm.Normal("b", 0.0, 1.0, shape=25)
        pm.Bernoulli("y", logit_p=mu + sd[0] * a[subject] + sd[1] * b[item], observed=y)
    return model


def growth_curves() -> pm.Model:
    """Weights of 30 animals in 5 weeks, with a line for each; centred."""
    rng = np.random.default_rng(43)
    animal, week = np.divmod(np.arange(150), 5)
    start, gain = rng.normal(24.0, 1.5, 30), rng.normal(6.0, 0.5, 30)
    y = start[animal] + gain[animal] * (week - 2) + rng.normal(0.0, 0.6, 150)
    with pm.Model() as model:
        mu = pm.Normal("mu", [20.0, 5.0], 10.0, shape=2)
        sd = pm.HalfNormal("sd", 5.0, shape=2)
        lines = pm.Normal("lines", mu, sd, shape=(30, 2))
        sigma = pm.HalfNormal("sigma", 2.0)
        pm.Normal("y", lines[animal, 0] + lines[animal, 1] * (week - 2), sigma, observed=y)
    return model


def proportions() -> pm.Model:
    """Hits of 18 players in 45 tries each: a beta for all of them."""
    rng = np.random.default_rng(44)
    hits = rng.binomial(45, rng.beta(20.0, 55.0, 18))
    with pm.Model() as model:
        phi = pm.Uniform("phi", 0.0, 1.0)
        kappa = pm.Pareto("kappa", 1.5, 1.0)
        theta = pm.Beta("theta", phi * kappa, (1.0 - phi) * kappa, shape=18)
        pm.Binomial("y", 45, theta, observed=hits)
    return model


POSTERIORS = (
    Posterior(
        "varying_slopes", "20 groups, LKJ, 300 rows", ("gallery",), varying_slopes,
        sampling=Sampling(draws=6000),
    ),
    Posterior(
        "crossed_factors", "40 subjects by 25 items", ("gallery",), crossed_factors,
        scales={"sd": "log"},
    ),
    Posterior("growth_curves", "30 lines, centred", ("gallery",), growth_curves),
    Posterior(
        "proportions", "18 betas", ("gallery",), proportions,
        scales={"kappa": "log"}, sampling=Sampling(draws=8000, target_accept=0.97),
    ),
)  # fmt: skip
