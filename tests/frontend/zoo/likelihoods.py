"""Models that differ in their likelihood."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from .registry import case


@case
def poisson(rng):
    pm.Poisson("y", pm.Gamma("rate", 2.0, 1.0), observed=rng.poisson(3.0, size=30))


@case
def bernoulli_logit(rng):
    x = rng.normal(size=(40, 2))
    pm.Bernoulli("y", logit_p=x @ pm.Normal("beta", shape=2), observed=rng.integers(0, 2, 40))


@case
def categorical(rng):
    logits = pm.Normal("logits", shape=4)
    pm.Categorical("y", logit_p=logits, observed=rng.integers(0, 4, size=30))


@case
def multinomial(rng):
    p = pm.Dirichlet("p", np.ones(3))
    pm.Multinomial("y", n=10, p=p, observed=rng.multinomial(10, [0.2, 0.3, 0.5], size=6))


@case
def negative_binomial(rng):
    mu, alpha = pm.Gamma("mu", 2.0, 1.0), pm.Exponential("alpha", 1.0)
    pm.NegativeBinomial("y", mu=mu, alpha=alpha, observed=rng.poisson(3.0, size=30))


@case
def zero_inflated(rng):
    psi = pm.Beta("psi", 2.0, 2.0)
    pm.ZeroInflatedPoisson("y", psi, pm.Gamma("mu", 2.0, 1.0), observed=rng.poisson(1.0, 30))


@case
def ordered_logistic(rng):
    cut = pm.Normal(
        "cut", 0.0, 2.0, shape=3, initval=[-1.0, 0.0, 1.0],
        transform=pm.distributions.transforms.ordered,
    )  # fmt: skip
    eta = pm.Normal("slope") * rng.normal(size=25)
    pm.OrderedLogistic("y", eta=eta, cutpoints=cut, observed=rng.integers(0, 4, size=25))


@case
def student_t(rng):
    nu = pm.Gamma("nu", 2.0, 0.1)
    mu, sigma = pm.Normal("mu"), pm.HalfNormal("sigma")
    pm.StudentT("y", nu, mu, sigma=sigma, observed=rng.normal(size=30))


@case
def skew_families(rng):
    mu = pm.Normal("mu")
    pm.Laplace("laplace", mu, 1.0, observed=rng.normal(size=10))
    pm.SkewNormal("skew", mu=mu, sigma=1.0, alpha=2.0, observed=rng.normal(size=10))
    pm.AsymmetricLaplace("asymmetric", mu=mu, b=1.0, kappa=2.0, observed=rng.normal(size=10))
    pm.ExGaussian("ex", mu, 1.0, nu=1.0, observed=rng.normal(size=10))
    pm.Gumbel("gumbel", mu, 1.0, observed=rng.normal(size=10))
    pm.Logistic("logistic", mu, 1.0, observed=rng.normal(size=10))


@case
def censored(rng):
    latent = pm.Normal.dist(pm.Normal("mu"), pm.HalfNormal("sigma"))
    y = np.clip(rng.normal(size=30), -1.0, 1.0)
    pm.Censored("y", latent, lower=-1.0, upper=1.0, observed=y)


@case
def truncated(rng):
    latent = pm.Normal.dist(pm.Normal("mu"), 1.0)
    pm.Truncated("y", latent, lower=-2.0, upper=2.0, observed=rng.uniform(-1.9, 1.9, size=20))
    pm.Truncated("free", pm.Gamma.dist(2.0, 1.0), upper=4.0)


@case
def normal_mixture(rng):
    w = pm.Dirichlet("w", np.ones(2))
    mu = pm.Normal("mu", [-1.0, 1.0], 1.0)
    pm.NormalMixture("y", w, mu, pm.HalfNormal("sigma", shape=2), observed=rng.normal(size=25))


@case
def mixture(rng):
    w = pm.Dirichlet("w", np.ones(2))
    parts = [pm.Normal.dist(pm.Normal("mu"), 1.0), pm.StudentT.dist(3.0, 0.0, sigma=2.0)]
    pm.Mixture("y", w, parts, observed=rng.normal(size=25))


@case
def hurdle(rng):
    psi = pm.Beta("psi", 2.0, 2.0)
    y = np.where(rng.random(20) < 0.3, 0.0, rng.gamma(2.0, size=20))
    pm.HurdleGamma("y", psi, alpha=pm.HalfNormal("alpha"), beta=1.0, observed=y)


@case
def custom_dist(rng):
    def logp(value, mu, sigma):
        return -0.5 * pt.sqr((value - mu) / sigma) - pt.log(sigma)

    mu, sigma = pm.Normal("mu"), pm.HalfNormal("sigma")
    pm.CustomDist("y", mu, sigma, logp=logp, observed=rng.normal(size=30))


@case
def custom_dist_from_graph(rng):
    def dist(mu, sigma, size):
        return pt.exp(pm.Normal.dist(mu, sigma, size=size))

    mu, sigma = pm.Normal("mu"), pm.HalfNormal("sigma")
    pm.CustomDist("y", mu, sigma, dist=dist, observed=rng.lognormal(size=30))


@case
def dirichlet_multinomial(rng):
    a = pm.Gamma("a", 2.0, 1.0, shape=3)
    pm.DirichletMultinomial("y", n=8, a=a, observed=rng.multinomial(8, np.ones(3) / 3, size=5))
