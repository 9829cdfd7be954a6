"""Distributions at the edges of their parameters and of their supports."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt


@dataclass(frozen=True)
class Edge:
    """A log density, and points at edges of it.

    Parameters
    ----------
    logp
        ``(value, *parameters) -> log density``, a value for each row.
    rows
        At each, the value and the parameters.
    discrete
        Whether the values are counts, which have no derivative.
    """

    logp: Callable[..., Any]
    rows: Sequence[tuple[float, ...]]
    discrete: bool = False

    @property
    def table(self) -> np.ndarray:
        return np.array(self.rows, float)


def _of(distribution: Any, *names: str, **fixed: Any) -> Callable[..., Any]:
    """Build the log density by the names of the parameters."""

    def logp(value: Any, *parameters: Any) -> Any:
        return pm.logp(
            distribution.dist(**dict(zip(names, parameters, strict=True)), **fixed), value
        )

    return logp


def _of_component(make: Callable[..., Any], around: Callable[..., Any]) -> Callable[..., Any]:
    return lambda value, *parameters: pm.logp(around(make(*parameters)), value)


EDGES: dict[str, Edge] = {
    "poisson": Edge(_of(pm.Poisson, "mu"), [(0, 0), (1, 0), (0, 1), (3, 1e-300), (0, 1e5)], True),
    "binomial": Edge(_of(pm.Binomial, "p", n=5), [(0, 0), (5, 1), (0, 1), (5, 0), (2, 0.5)], True),
    "binomial_logit": Edge(
        _of(pm.Binomial, "logit_p", n=5), [(0, -800), (5, 800), (0, 40), (5, -40), (2, 0)], True
    ),
    "binomial_of_no_trials": Edge(_of(pm.Binomial, "p", n=0), [(0, 0), (0, 1), (0, 0.5)], True),
    "bernoulli": Edge(_of(pm.Bernoulli, "p"), [(0, 0), (1, 1), (0, 1), (1, 0), (1, 0.5)], True),
    "bernoulli_logit": Edge(
        _of(pm.Bernoulli, "logit_p"), [(0, -800), (1, 800), (0, 800), (1, -800), (1, 0)], True
    ),
    "beta_binomial": Edge(
        _of(pm.BetaBinomial, "alpha", "beta", n=4),
        [(0, 1, 1), (4, 1, 1), (0, 1e-8, 1), (4, 1, 1e-8), (2, 1e6, 1e6)],
        True,
    ),
    "negative_binomial": Edge(
        _of(pm.NegativeBinomial, "mu", "alpha"),
        [(0, 0, 1), (0, 1, 1e-9), (0, 1, 1e10), (3, 1, 1e11), (2, 0, 1), (3, 2, 0.5)],
        True,
    ),
    "geometric": Edge(_of(pm.Geometric, "p"), [(1, 1), (1, 1e-12), (2, 1), (3, 0.5), (1, 0)], True),
    "hypergeometric": Edge(
        _of(pm.HyperGeometric, "N", "k", "n"),
        [(0, 10, 0, 3), (0, 10, 3, 0), (3, 10, 3, 3), (2, 10, 5, 4)],
        True,
    ),
    "discrete_weibull": Edge(
        _of(pm.DiscreteWeibull, "q", "beta"),
        [(0, 0.5, 1), (0, 1e-300, 1), (1, 0.5, 1e-8), (3, 0.99, 2)],
        True,
    ),
    "discrete_uniform": Edge(
        _of(pm.DiscreteUniform, "lower", "upper"), [(0, 0, 3), (3, 0, 3), (4, 0, 3)], True
    ),
    "zero_inflated_poisson": Edge(
        _of(pm.ZeroInflatedPoisson, "psi", "mu"),
        [(0, 1, 0), (0, 0, 1), (0, 0.5, 0), (2, 1, 1), (0, 1, 1), (3, 0.5, 2), (0, 0.5, 800)],
        True,
    ),
    "zero_inflated_binomial": Edge(
        _of(pm.ZeroInflatedBinomial, "psi", "p", n=3),
        [(0, 1, 0), (0, 0, 1), (3, 1, 1), (0, 0.5, 1), (2, 0.5, 0.5)],
        True,
    ),
    "zero_inflated_negative_binomial": Edge(
        _of(pm.ZeroInflatedNegativeBinomial, "psi", "mu", "alpha"),
        [(0, 1, 0, 1), (0, 0, 1, 1), (0, 0.5, 0, 1), (2, 0.5, 1, 1e11), (0, 0.5, 50, 1e3)],
        True,
    ),
    "hurdle_poisson": Edge(
        _of(pm.HurdlePoisson, "psi", "mu"),
        [(0, 0.5, 1), (1, 1, 1), (0, 0, 1), (0, 0.5, 1e-12), (2, 0.5, 1e-12), (0, 0.5, 800)],
        True,
    ),
    "hurdle_negative_binomial": Edge(
        _of(pm.HurdleNegativeBinomial, "psi", mu=2.0, alpha=1.5),
        [(0, 0.5), (1, 0.9), (0, 0), (1, 1), (2, 0.5)],
        True,
    ),
    "hurdle_gamma": Edge(
        _of(pm.HurdleGamma, "psi", "alpha", "beta"),
        [(0, 0.5, 1, 1), (0, 0.5, 2, 1), (1, 1, 1, 1), (2, 0.5, 0.5, 1)],
    ),
    "hurdle_lognormal": Edge(
        _of(pm.HurdleLogNormal, "psi", "mu", "sigma"),
        [(0, 0.5, 0, 1), (1, 1, 0, 1), (2, 0.5, 1, 0.5)],
    ),
    "categorical": Edge(
        lambda v, p, q: pm.logp(pm.Categorical.dist(p=pt.stack([p, q, 1 - p - q], axis=-1)), v),
        [(0, 1, 0), (1, 0, 1), (2, 0, 0), (0, 0.5, 0.5), (2, 0.25, 0.25), (1, 0.5, 0.5)],
        True,
    ),
    "ordered_logistic": Edge(
        lambda v, eta, c: pm.logp(
            pm.OrderedLogistic.dist(
                eta=eta, cutpoints=pt.stack([0 * c, c], axis=-1), compute_p=False
            ),
            v,
        ),
        [(0, 0, 1), (1, 0, 1e-12), (2, 40, 1), (1, 800, 1), (0, -800, 1)],
        True,
    ),
    "ordered_probit": Edge(
        lambda v, eta, c, s: pm.logp(
            pm.OrderedProbit.dist(
                eta=eta, cutpoints=pt.stack([0 * c, c], axis=-1), sigma=s, compute_p=False
            ),
            v,
        ),
        [
            (0, 0, 1, 1),
            (1, 5, 6, 0.1),
            (1, -6, 1, 0.01),
            (1, 8, 1, 0.01),
            (2, 40, 1, 1),
            (0, 40, 1, 1),
            (1, 40, 1, 1),
            (1, -40, 1, 1),
        ],
        True,
    ),
    "normal": Edge(_of(pm.Normal, "mu", "sigma"), [(0, 0, 1), (1, 0, 1e-150), (0, 1e150, 1)]),
    "half_normal": Edge(_of(pm.HalfNormal, "sigma"), [(0, 1), (1, 1e-100), (-1, 1)]),
    "uniform": Edge(_of(pm.Uniform, "lower", "upper"), [(0, 0, 1), (1, 0, 1), (0.5, 0, 1)]),
    "exponential": Edge(_of(pm.Exponential, "scale"), [(0, 1), (1, 1e-100), (-1, 1), (1, 1)]),
    "gamma": Edge(
        _of(pm.Gamma, "alpha", "beta"),
        [(0, 1, 1), (0, 2, 1), (1, 1, 1), (1e-300, 0.1, 1), (2, 1e5, 1e5), (1e5, 1, 1)],
    ),
    "inverse_gamma": Edge(
        _of(pm.InverseGamma, "alpha", "beta"),
        [(1e-300, 1, 1), (1, 1, 1), (1e10, 0.1, 1e-5), (0, 1, 1)],
    ),
    "chi_squared": Edge(_of(pm.ChiSquared, "nu"), [(0, 2), (1, 2), (1, 1e-5)]),
    "beta": Edge(
        _of(pm.Beta, "alpha", "beta"),
        [(0, 1, 1), (1, 1, 1), (0, 1, 2), (1, 2, 1), (0.5, 1, 1), (1e-300, 0.5, 1), (0, 2, 2)],
    ),
    "kumaraswamy": Edge(
        _of(pm.Kumaraswamy, "a", "b"),
        [(0, 1, 1), (1, 1, 1), (0.5, 1, 1), (1e-300, 0.5, 1), (0, 2, 2), (0.5, 1e-5, 1)],
    ),
    "weibull": Edge(
        _of(pm.Weibull, "alpha", "beta"),
        [(0, 1, 1), (1, 1, 1), (0, 2, 1), (1e-300, 0.5, 1), (1e5, 2, 1e5)],
    ),
    "pareto": Edge(_of(pm.Pareto, "alpha", "m"), [(1, 1, 1), (2, 1, 1), (1, 1e-5, 1)]),
    "lognormal": Edge(
        _of(pm.LogNormal, "mu", "sigma"), [(0, 0, 1), (1e-300, 0, 1), (1, 0, 1), (-1, 0, 1)]
    ),
    "laplace": Edge(_of(pm.Laplace, "mu", "b"), [(0, 0, 1), (1, 0, 1), (-1, 0, 1)]),
    "asymmetric_laplace": Edge(
        _of(pm.AsymmetricLaplace, "b", "kappa", "mu"),
        [(0, 1, 1, 0), (1, 1, 2, 0), (-1, 1, 2, 0), (800, 1, 2, 0), (-800, 1, 0.5, 0)],
    ),
    "cauchy": Edge(_of(pm.Cauchy, "alpha", "beta"), [(0, 0, 1), (1e150, 0, 1), (1, 0, 1e-100)]),
    "half_cauchy": Edge(_of(pm.HalfCauchy, "beta"), [(0, 1), (1e150, 1), (-1, 1)]),
    "student_t": Edge(
        _of(pm.StudentT, "nu", "mu", "sigma"),
        [(0, 1, 0, 1), (1, 1e-5, 0, 1), (0, 100, 0, 1), (-50, 2, 1, 1e-3)],
    ),
    "half_student_t": Edge(
        _of(pm.HalfStudentT, "nu", "sigma"), [(0, 1, 1), (1, 100, 1), (-1, 1, 1)]
    ),
    "skew_student_t": Edge(
        _of(pm.SkewStudentT, "a", "b", "mu", "sigma"),
        [(0, 1, 1, 0, 1), (1, 1, 1, 0, 1), (-50, 1, 2, 0, 1)],
    ),
    "skew_normal": Edge(
        _of(pm.SkewNormal, "mu", "sigma", "alpha"),
        [(0, 0, 1, 0), (1, 0, 1, 0), (-9, 0, 1, 9), (9, 0, 1, 9)],
    ),
    "ex_gaussian": Edge(
        _of(pm.ExGaussian, "mu", "sigma", "nu"),
        [
            (0, 0, 1, 1),
            (1, 0, 1, 0.05),
            (1, 0, 1, 0.049),
            (1, 0, 1, 0.01),
            (-9, 0, 1, 1),
            (800, 0, 1, 1),
            (-40, 0, 0.1, 10),
        ],
    ),
    "gumbel": Edge(_of(pm.Gumbel, "mu", "beta"), [(0, 0, 1), (-5, 0, 1), (800, 0, 1)]),
    "logistic": Edge(_of(pm.Logistic, "mu", "s"), [(0, 0, 1), (800, 0, 1), (-800, 0, 1)]),
    "logit_normal": Edge(
        _of(pm.LogitNormal, "mu", "sigma"), [(0.5, 0, 1), (1e-300, 0, 1), (0, 0, 1), (1, 0, 1)]
    ),
    "moyal": Edge(_of(pm.Moyal, "mu", "sigma"), [(0, 0, 1), (-5, 0, 1), (800, 0, 1)]),
    "rice": Edge(
        _of(pm.Rice, "nu", "sigma"), [(1, 0, 1), (0, 1, 1), (1, 1e-10, 1), (2, 30, 1), (0, 0, 1)]
    ),
    "triangular": Edge(
        _of(pm.Triangular, "lower", "c", "upper"),
        [
            (0, 0, 0.5, 1),
            (0.5, 0, 0.5, 1),
            (1, 0, 0.5, 1),
            (0.2, 0, 0, 1),
            (0.2, 0, 1, 1),
            (0.7, 0, 0.5, 1),
        ],
    ),
    "vonmises": Edge(
        _of(pm.VonMises, "mu", "kappa"), [(0, 0, 1), (1, 0, 1e-10), (1, 0, 700), (np.pi, 0, 1)]
    ),
    "wald": Edge(
        _of(pm.Wald, "mu", "lam", "alpha"),
        [(1, 1, 1, 0), (1e-300, 1, 1, 0), (1, 1, 1e-10, 0), (0, 1, 1, 0), (1, 1, 1, 1)],
    ),
    "truncated_normal": Edge(
        _of(pm.TruncatedNormal, "mu", "sigma", lower=0.0, upper=1.0),
        [(0, 0, 1), (1, 0, 1), (0.5, 9, 1), (0.5, -9, 1), (0.5, 40, 1), (0.5, -40, 1), (2, 0, 1)],
    ),
    "truncated_gamma": Edge(
        _of_component(
            lambda a, b: pm.Gamma.dist(a, b), lambda x: pm.Truncated.dist(x, lower=1.0, upper=3.0)
        ),
        [(1, 1, 1), (3, 1, 1), (2, 2, 1), (0, 1, 1)],
    ),
    "truncated_exponential": Edge(
        _of_component(
            lambda s: pm.Exponential.dist(scale=s), lambda x: pm.Truncated.dist(x, upper=3.0)
        ),
        [(0, 1), (3, 1), (1, 1e-3), (1, 1e10)],
    ),
    "truncated_poisson": Edge(
        _of_component(lambda m: pm.Poisson.dist(m), lambda x: pm.Truncated.dist(x, lower=1)),
        [(1, 1e-5), (1, 1), (2, 0), (0, 1)],
        True,
    ),
    "censored_normal": Edge(
        _of_component(
            lambda m, s: pm.Normal.dist(m, s), lambda x: pm.Censored.dist(x, lower=0.0, upper=1.0)
        ),
        [
            (0, 0, 1),
            (1, 0, 1),
            (0.5, 0, 1),
            (0, 40, 1),
            (1, -40, 1),
            (0.5, 0, 1e-3),
            (2, 0, 1),
            (0, 0, 1e-3),
        ],
    ),
    "censored_exponential": Edge(
        _of_component(
            lambda s: pm.Exponential.dist(scale=s),
            lambda x: pm.Censored.dist(x, lower=0.0, upper=1.0),
        ),
        [(0, 1), (1, 1), (0.5, 1), (1, 1e-3), (1, 1e5)],
    ),
    "censored_weibull": Edge(
        _of_component(
            lambda a, b: pm.Weibull.dist(a, b), lambda x: pm.Censored.dist(x, lower=None, upper=2.0)
        ),
        [(0, 1, 1), (2, 1, 1), (1, 2, 1), (2, 50, 1), (0, 2, 1)],
    ),
    "censored_poisson": Edge(
        _of_component(
            lambda m: pm.Poisson.dist(m), lambda x: pm.Censored.dist(x, lower=0, upper=4)
        ),
        [(0, 0), (0, 1), (4, 1), (4, 1e-5), (2, 0), (2, 1)],
        True,
    ),
    "mixture": Edge(
        lambda v, w, m, s: pm.logp(
            pm.NormalMixture.dist(
                w=pt.stack([w, 1 - w], axis=-1),
                mu=pt.stack([m, -m], axis=-1),
                sigma=pt.stack([s, s], axis=-1),
            ),
            v,
        ),
        [(0, 0, 0, 1), (0, 1, 0, 1), (1, 0.5, 40, 1), (1, 0.5, 1, 1)],
    ),
    "mixture_with_a_point": Edge(
        lambda v, w, a: pm.logp(
            pm.Mixture.dist(
                w=pt.stack([w, 1 - w], axis=-1),
                comp_dists=[pm.HalfNormal.dist(a), pm.Gamma.dist(a, 1.0)],
            ),
            v,
        ),
        [(0, 0.5, 1), (0, 0.5, 2), (1, 0.5, 1), (-1, 0.5, 1), (0, 1, 3)],
    ),
    "power": Edge(
        lambda v, x, y: x**y - v**2,
        [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 0), (0, 2, 0.5), (1, 0, 3)],
    ),
    "power_of_zero": Edge(lambda v, x: x**0 + x**1 + x**2 + v, [(0, 0), (1, 1)]),
    "entropy": Edge(
        lambda v, p: pt.switch(pt.eq(p, 0), 0.0, p * pt.log(p)) + v, [(0, 0), (0, 1), (1, 0.5)]
    ),
    "xlogx": Edge(
        lambda v, p: pt.special.xlogy(p, p) + pt.special.xlogy(v, p), [(0, 0), (0, 1), (1, 0.5)]
    ),
    "root": Edge(
        lambda v, x: pt.switch(x > 0, pt.sqrt(x), 0.0) + pt.sqrt(v), [(1, 0), (1, 1), (4, -1)]
    ),
    "norm": Edge(
        lambda v, x: pt.switch(pt.eq(x * x + v * v, 0), 0.0, pt.sqrt(x * x + v * v)),
        [(0, 0), (1, 0), (0, 1)],
    ),
    "quotient": Edge(
        lambda v, a, b: pt.switch(
            pt.eq(a, b), v * pt.exp(-a * v), (pt.exp(-a * v) - pt.exp(-b * v)) / (b - a)
        ),
        [(1, 1, 1), (1, 1, 2), (0, 1, 1), (2, 0, 0)],
    ),
    "softplus": Edge(
        lambda v, x: pt.softplus(x) + pt.log1mexp(-pt.abs(v)),
        [(1, 800), (1, -800), (1e-20, 0), (1e-300, 20), (800, 35)],
    ),
    "sigmoid": Edge(
        lambda v, x: pt.log(pt.sigmoid(x)) + pt.log1p(-pt.sigmoid(v)),
        [(0, 800), (800, -800), (-800, 40), (40, 0)],
    ),
    "nested": Edge(
        lambda v, x: pt.switch(
            x > 0, pt.switch(v > 0, pt.log(x * v), pt.log(x)), pt.switch(v > 0, pt.log(v), 1.0)
        ),
        [(0, 0), (1, 0), (0, 1), (1, 1), (-1, 2), (2, -1)],
    ),
    "clip": Edge(
        lambda v, x: pt.clip(x, 0, 1) + pt.maximum(v, x) - pt.minimum(v, 0),
        [(0, 0.5), (2, 0.5), (-1, 2), (1, -3)],
    ),
    "clipped_logarithm": Edge(
        lambda v, x: pt.log(pt.clip(x, 1e-10, 1)) + v, [(0, 0), (0, 0.5), (0, 2)]
    ),
    "distance": Edge(lambda v, x: pt.abs(x - v), [(0, 1), (1, 0)]),
}
