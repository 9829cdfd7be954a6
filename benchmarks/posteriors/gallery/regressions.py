"""Regressions with outcomes, cells and groups of their own kind."""

import numpy as np
import pymc as pm

from benchmarks.posteriors.base import Posterior, Sampling


def ordered_answers() -> pm.Model:
    """Answers from 1 to 5 of 15 groups with an intercept each, 400 rows."""
    rng = np.random.default_rng(49)
    group, x = rng.integers(0, 15, 400), rng.normal(size=(400, 3))
    latent = rng.normal(0.0, 0.7, 15)[group] + x @ [1.0, -0.5, 0.2] + rng.logistic(size=400)
    y = np.digitize(latent, [-2.0, -0.5, 0.7, 2.0])
    with pm.Model() as model:
        sd = pm.HalfNormal("sd", 1.0)
        z = pm.Normal("z", 0.0, 1.0, shape=15)
        beta = pm.Normal("beta", 0.0, 1.0, shape=3)
        cuts = pm.Normal(
            "cuts", 0.0, 3.0, shape=4, transform=pm.distributions.transforms.ordered,
            initval=np.linspace(-1.5, 1.5, 4),
        )  # fmt: skip
        pm.OrderedLogistic("y", eta=sd * z[group] + x @ beta, cutpoints=cuts, observed=y)
    return model


def zero_inflated() -> pm.Model:
    """Counts with too many zeros, of 20 groups, 400 rows."""
    rng = np.random.default_rng(50)
    group, x = rng.integers(0, 20, 400), rng.normal(size=(400, 2))
    rate = np.exp(0.8 + rng.normal(0.0, 0.4, 20)[group] + x @ [0.5, -0.3])
    y = rng.poisson(rate) * (rng.random(400) < 0.7)
    with pm.Model() as model:
        psi = pm.Beta("psi", 2.0, 2.0)
        mu, sd = pm.Normal("mu", 0.0, 2.0), pm.HalfNormal("sd", 1.0)
        z, beta = pm.Normal("z", 0.0, 1.0, shape=20), pm.Normal("beta", 0.0, 1.0, shape=2)
        log_rate = mu + sd * z[group] + pm.math.dot(x, beta)
        pm.ZeroInflatedPoisson("y", psi=psi, mu=pm.math.exp(log_rate), observed=y)
    return model


def imputed_cells() -> pm.Model:
    """A regression of 200 rows on two columns, of one of which a fifth is missing."""
    rng = np.random.default_rng(51)
    first = rng.normal(size=200)
    second = 0.6 * first + rng.normal(0.0, 0.8, 200)
    y = 1.0 + 0.5 * first - 0.8 * second + rng.normal(0.0, 0.5, 200)
    missing = np.flatnonzero(rng.random(200) < 0.2)
    with pm.Model() as model:
        slope, spread = pm.Normal("slope", 0.0, 1.0), pm.HalfNormal("spread", 1.0)
        beta, sigma = pm.Normal("beta", 0.0, 1.0, shape=3), pm.HalfNormal("sigma", 1.0)
        cells = pm.Normal("cells", slope * first[missing], spread, shape=len(missing))
        seen = np.setdiff1d(np.arange(200), missing)
        pm.Normal("column", slope * first[seen], spread, observed=second[seen])
        column = pm.math.concatenate([second[seen], cells])
        order = np.argsort(np.concatenate([seen, missing]))
        pm.Normal("y", beta[0] + beta[1] * first + beta[2] * column[order], sigma, observed=y)
    return model


def two_kinds() -> pm.Model:
    """A mixture of two normals with ordered means, and a hierarchy of 12 groups above it."""
    rng = np.random.default_rng(52)
    group = rng.integers(0, 12, 300)
    kind = rng.random(300) < 0.35
    y = np.where(kind, 3.0, 0.0) + rng.normal(0.0, 0.6, 12)[group] + rng.normal(0.0, 0.7, 300)
    with pm.Model() as model:
        share = pm.Beta("share", 2.0, 2.0)
        low = pm.Normal("low", 0.0, 2.0)
        apart = pm.HalfNormal("apart", 4.0)
        sd, sigma = pm.HalfNormal("sd", 1.0), pm.HalfNormal("sigma", 1.0)
        shift = sd * pm.Normal("z", 0.0, 1.0, shape=12)[group]
        parts = [pm.Normal.dist(low + shift, sigma), pm.Normal.dist(low + apart + shift, sigma)]
        pm.Mixture("y", w=pm.math.stack([1.0 - share, share]), comp_dists=parts, observed=y)
    return model


POSTERIORS = (
    Posterior("ordered_answers", "15 groups, 400 rows", ("gallery",), ordered_answers,
              scales={"sd": "log"}),
    Posterior("zero_inflated", "20 groups, 400 rows", ("gallery",), zero_inflated),
    Posterior("imputed_cells", "200 rows, a fifth missing", ("gallery",), imputed_cells),
    Posterior("two_kinds", "mixture, 12 groups, 300 rows", ("gallery",), two_kinds,
              sampling=Sampling(draws=6000)),
)  # fmt: skip
