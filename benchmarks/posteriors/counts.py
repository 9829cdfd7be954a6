"""Likelihoods other than the normal, with few parameters."""

import numpy as np
import pymc as pm

from benchmarks.posteriors.base import Posterior, Sampling

_LEVELS = 5


def gamma() -> pm.Model:
    """Shape and rate of a gamma distribution, strongly correlated."""
    rng = np.random.default_rng(1)
    with pm.Model() as model:
        alpha = pm.Exponential("alpha", 0.1)
        beta = pm.Exponential("beta", 0.1)
        pm.Gamma("y", alpha, beta, observed=rng.gamma(2.0, 0.5, size=200))
    return model


def poisson() -> pm.Model:
    """Poisson regression on 8 standardised columns."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(500, 8))
    log_rate = 1.0 + x @ rng.normal(0.0, 0.3, size=8)
    with pm.Model() as model:
        intercept = pm.Normal("intercept", 0.0, 5.0)
        b = pm.Normal("b", 0.0, 1.0, shape=8)
        rate = pm.math.exp(intercept + pm.math.dot(x, b))
        pm.Poisson("y", rate, observed=rng.poisson(np.exp(log_rate)))
    return model


def negative_binomial() -> pm.Model:
    """Counts with overdispersion, an exposure, and correlated columns."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(400, 6)) + rng.normal(size=(400, 1))
    exposure = rng.uniform(0.5, 3.0, size=400)
    mean = exposure * np.exp(0.5 + x @ rng.normal(0.0, 0.3, size=6))
    with pm.Model() as model:
        intercept = pm.Normal("intercept", 0.0, 5.0)
        b = pm.Normal("b", 0.0, 1.0, shape=6)
        dispersion = pm.HalfNormal("dispersion", 5.0)
        rate = exposure * pm.math.exp(intercept + pm.math.dot(x, b))
        observed = rng.negative_binomial(1.5, 1.5 / (1.5 + mean))
        pm.NegativeBinomial("y", mu=rate, alpha=dispersion, observed=observed)
    return model


def ordinal() -> pm.Model:
    """Ordered logistic regression: five levels, three columns."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(300, 3))
    latent = x @ np.array([1.0, -0.5, 0.2]) + rng.logistic(size=300)
    observed = np.digitize(latent, [-2.0, -0.7, 0.6, 2.2])
    with pm.Model() as model:
        b = pm.Normal("b", 0.0, 2.0, shape=3)
        cuts = pm.Normal(
            "cuts", 0.0, 3.0, shape=_LEVELS - 1, initval=np.array([-1.5, -0.5, 0.5, 1.5]),
            transform=pm.distributions.transforms.ordered,
        )  # fmt: skip
        pm.OrderedLogistic("y", eta=pm.math.dot(x, b), cutpoints=cuts, observed=observed)
    return model


def dirichlet_multinomial() -> pm.Model:
    """Shares of five categories in twelve overdispersed samples."""
    rng = np.random.default_rng(5)
    shares = rng.dirichlet(15.0 * np.array([0.4, 0.3, 0.15, 0.1, 0.05]), size=12)
    totals = rng.integers(20, 80, size=12)
    counts = np.array([rng.multinomial(n, p) for n, p in zip(totals, shares, strict=True)])
    with pm.Model() as model:
        share = pm.Dirichlet("share", np.ones(5))
        concentration = pm.LogNormal("concentration", 2.0, 1.0)
        pm.DirichletMultinomial("y", n=totals, a=concentration * share, observed=counts)
    return model


POSTERIORS = (
    Posterior(
        "gamma", "200 rows, shape and rate", ("small", "correlated"), gamma,
        sampling=Sampling(draws=5000),
    ),
    Posterior("poisson", "500 rows, 9 parameters", ("glm", "counts"), poisson),
    Posterior(
        "negative_binomial", "400 rows, 8 parameters", ("glm", "counts", "correlated"),
        negative_binomial,
    ),
    Posterior("ordinal", "300 rows, 5 levels", ("glm", "ordered"), ordinal),
    Posterior(
        "dirichlet_multinomial", "12 samples of 5 categories", ("counts", "simplex"),
        dirichlet_multinomial,
    ),
)  # fmt: skip
