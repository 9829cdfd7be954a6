"""Models of functions and time series."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt

from .registry import case


@case
def latent_gp(rng):
    x = np.linspace(0.0, 3.0, 12)[:, None]
    cov = pm.HalfNormal("eta") ** 2 * pm.gp.cov.Matern52(1, ls=pm.Gamma("ell", 2.0, 1.0))
    f = pm.gp.Latent(cov_func=cov).prior("f", X=x)
    pm.Poisson("y", pt.exp(f), observed=rng.poisson(1.5, size=12))


@case
def marginal_gp(rng):
    x = np.linspace(0.0, 3.0, 15)[:, None]
    cov = pm.gp.cov.ExpQuad(1, ls=pm.Gamma("ell", 2.0, 1.0))
    pm.gp.Marginal(cov_func=cov).marginal_likelihood(
        "y", X=x, y=rng.normal(size=15), sigma=pm.HalfNormal("sigma")
    )


@case
def hsgp(rng):
    x = np.linspace(-1.0, 1.0, 70)[:, None]
    cov = pm.gp.cov.ExpQuad(1, ls=pm.Gamma("ell", 2.0, 1.0))
    f = pm.gp.HSGP(m=[8], c=1.5, cov_func=cov).prior("f", X=x)
    pm.Normal("y", f, pm.HalfNormal("sigma"), observed=rng.normal(size=70))


@case
def scan_innovations(rng):
    rho = pm.Uniform("rho", -1.0, 1.0)
    innovations = pm.Normal("innovations", shape=20)

    def step(innovation, previous, rho):
        return rho * previous + innovation

    path = pytensor.scan(
        step, sequences=[innovations], outputs_info=[pt.zeros(())], non_sequences=[rho],
        return_updates=False,
    )  # fmt: skip
    pm.Deterministic("path", path)
    pm.Normal("y", path, 0.5, observed=rng.normal(size=20))


@case
def autoregression(rng):
    rho = pm.Normal("rho", 0.0, 0.3, shape=2)
    path = pm.AR("path", rho, sigma=pm.HalfNormal("sigma"), init_dist=pm.Normal.dist(), steps=10)
    pm.Normal("y", path, 1.0, observed=rng.normal(size=12))


@case
def random_walk(rng):
    walk = pm.GaussianRandomWalk(
        "walk", sigma=pm.HalfNormal("sigma"), init_dist=pm.Normal.dist(), steps=11
    )
    pm.Poisson("y", pt.exp(walk), observed=rng.poisson(1.0, size=12))


@case
def observed_series(rng):
    rho = pm.Normal("rho", 0.0, 0.3, shape=2)
    pm.AR("y", rho, sigma=1.0, init_dist=pm.Normal.dist(), observed=rng.normal(size=30))
    pm.GARCH11(
        "returns", omega=0.2, alpha_1=pm.Beta("alpha", 2.0, 2.0), beta_1=0.3, initial_vol=1.0,
        observed=rng.normal(size=15),
    )  # fmt: skip


@case
def spatial(rng):
    ring = np.roll(np.eye(6), 1, axis=0) + np.roll(np.eye(6), -1, axis=0)
    pm.ICAR("icar", W=ring)
    car = pm.CAR("car", mu=np.zeros(6), W=ring, alpha=pm.Beta("alpha", 2.0, 2.0), tau=1.0)
    pm.Normal("y", car, 1.0, observed=rng.normal(size=6))


@case
def kronecker(rng):
    left, right = np.eye(3) * 2.0 + 0.3, np.eye(2) + 0.1
    mu = pm.Normal("mu", shape=6)
    pm.KroneckerNormal("y", mu, covs=[left, right], sigma=0.5, observed=rng.normal(size=6))
