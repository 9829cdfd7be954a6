"""One model for each way PyMC maps a constrained variable to the unconstrained space."""

import numpy as np
import pymc as pm
import pymc.distributions.transforms as tr
import pytensor.tensor as pt

from .registry import case


@case
def log(rng):
    sigma = pm.HalfNormal("sigma", 2.0)
    shape = pm.Gamma("shape", 2.0, 1.0, shape=3)
    rate = pm.Exponential("rate", 1.5)
    pm.Normal("y", rate, sigma + shape.sum(), observed=rng.normal(size=20))


@case
def positive_families(rng):
    pm.InverseGamma("inverse_gamma", 3.0, 1.0)
    pm.LogNormal("lognormal", 0.0, 0.5)
    pm.Weibull("weibull", 2.0, 1.0)
    pm.HalfStudentT("half_student", 4.0, 1.0)
    pm.HalfCauchy("half_cauchy", 1.0)
    pm.Wald("wald", 1.0, 2.0)
    pm.Pareto("pareto", 2.0, 1.0)


@case
def logodds(rng):
    p = pm.Beta("p", 2.0, 3.0, shape=2)
    pm.Kumaraswamy("kumaraswamy", 2.0, 3.0)
    pm.Binomial("y", 9, p, observed=rng.integers(0, 9, size=(15, 2)))


@case
def interval(rng):
    low = pm.Uniform("low", -1.0, 2.0)
    pm.Triangular("triangular", lower=0.0, upper=3.0, c=1.0)
    pm.TruncatedNormal("truncated", 0.0, 1.0, lower=-0.5, upper=1.5)
    pm.Normal("y", low, 1.0, observed=rng.normal(size=5))


@case
def interval_one_sided(rng):
    pm.TruncatedNormal("above", 0.0, 1.0, lower=-0.5)
    pm.TruncatedNormal("below", 0.0, 1.0, upper=0.5)
    pm.Normal("given", 0.0, 1.0, transform=tr.Interval(lower=-1.0), shape=2)


@case
def interval_random_bounds(rng):
    low = pm.Normal("low")
    high = low + pm.HalfNormal("width", 2.0)
    pm.Uniform("between", low, high, shape=3)


@case
def ordered(rng):
    cut = pm.Normal("cut", 0.0, 2.0, shape=4, transform=tr.ordered, initval=np.arange(4.0))
    pm.Normal("y", cut[1] - cut[0], 1.0, observed=rng.normal(size=5))


@case
def ordered_positive(rng):
    start = np.arange(1.0, 4.0)
    pm.HalfNormal(
        "x", 2.0, shape=3, default_transform=None, transform=tr.Ordered(positive=True),
        initval=start,
    )  # fmt: skip


@case
def ordered_descending(rng):
    pm.Normal("x", shape=3, transform=tr.Ordered(ascending=False), initval=[3.0, 2.0, 1.0])


@case
def simplex(rng):
    pm.Dirichlet("p", np.array([1.0, 2.0, 3.0]))


@case
def simplex_matrix(rng):
    p = pm.Dirichlet("p", np.array([[1.0, 2.0, 3.0], [3.0, 1.0, 0.5]]))
    pm.Categorical("y", p[np.array([0, 1, 1, 0])], observed=[0, 1, 2, 2])


@case
def stick_breaking(rng):
    pm.StickBreakingWeights("w", alpha=2.0, K=4)


@case
def sum_to_1(rng):
    # By its private name, for the public one warns of its end.
    pm.Dirichlet("p", np.ones(3), transform=tr._sum_to_1, default_transform=None)


@case
def circular(rng):
    angle = pm.VonMises("angle", 0.5, 2.0, shape=2)
    pm.VonMises("y", angle, 3.0, observed=rng.uniform(-3.0, 3.0, size=(6, 2)))


@case
def log_exp_m1(rng):
    pm.HalfNormal("x", 1.0, shape=2, default_transform=None, transform=tr.log_exp_m1)


@case
def zero_sum(rng):
    one = pm.ZeroSumNormal("one", 1.5, shape=4)
    two = pm.ZeroSumNormal("two", 1.0, n_zerosum_axes=2, shape=(3, 4))
    pm.Normal("y", one + two, 1.0, observed=rng.normal(size=(3, 4)))


@case
def chained(rng):
    pm.Uniform(
        "x", 0.0, 1.0, shape=3, default_transform=None, initval=[0.2, 0.5, 0.8],
        transform=tr.Chain([tr.logodds, tr.ordered]),
    )  # fmt: skip


@case
def cholesky_covariance(rng):
    chol, _, _ = pm.LKJCholeskyCov(
        "chol", n=3, eta=2.0, sd_dist=pm.Exponential.dist(1.0, shape=3), compute_corr=True
    )
    mu = pm.Normal("mu", 0.0, 1.0, shape=3)
    pm.MvNormal("y", mu, chol=chol, observed=rng.normal(size=(12, 3)))


@case
def correlation(rng):
    corr = pm.LKJCorr("corr", n=3, eta=2.0)
    pm.MvNormal("y", np.zeros(3), chol=corr, observed=rng.normal(size=(8, 3)))


@case
def covariance(rng):
    cov = pm.Wishart("cov", nu=5, V=np.eye(2))
    pm.MvNormal("y", np.zeros(2), cov=cov, observed=rng.normal(size=(8, 2)))


@case
def unbounded(rng):
    pm.Flat("flat")
    pm.HalfFlat("half_flat", initval=1.0)
    pm.Potential("pull", -pt.sqr(pm.modelcontext(None)["flat"]))
