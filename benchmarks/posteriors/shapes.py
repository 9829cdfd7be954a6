"""Densities of an awkward shape that can be drawn from exactly."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from benchmarks.posteriors.base import Draws, Moments, Posterior

_BEND, _WIDTH = 1.0, 0.3
_WEIGHTS = np.array([0.35, 0.65])
_MODES = np.array([[-3.0, -2.0], [3.0, 2.0]])
_MODE_SD = np.array([[0.6, 1.2], [1.0, 0.5]])
_T_SCALES = np.geomspace(0.1, 10.0, 10)


def banana() -> pm.Model:
    """A normal variable, and one around its square."""
    with pm.Model() as model:
        a = pm.Normal("a", 0.0, 1.0)
        pm.Normal("b", _BEND * (a**2 - 1.0), _WIDTH)
    return model


def banana_draws(rng: np.random.Generator, draws: int) -> Draws:
    """Draw from the banana, forwards."""
    a = rng.normal(size=draws)
    return {"a": a, "b": _BEND * (a**2 - 1.0) + _WIDTH * rng.normal(size=draws)}


def funnel() -> pm.Model:
    """Neal's funnel (2003) in ten dimensions."""
    with pm.Model() as model:
        v = pm.Normal("v", 0.0, 3.0)
        pm.Normal("x", 0.0, pt.exp(v / 2.0), shape=9)
    return model


def funnel_draws(rng: np.random.Generator, draws: int) -> Draws:
    """Draw from the funnel, forwards."""
    v = rng.normal(0.0, 3.0, size=draws)
    return {"v": v, "x": np.exp(v / 2.0)[:, None] * rng.normal(size=(draws, 9))}


def mixture() -> pm.Model:
    """Two modes far apart, of different weight and shape."""
    with pm.Model() as model:
        x = pm.Flat("x", shape=2)
        first, second = (
            np.log(weight) + pm.logp(pm.Normal.dist(mode, sd), x).sum()
            for weight, mode, sd in zip(_WEIGHTS, _MODES, _MODE_SD, strict=True)
        )
        pm.Potential("mixture", pt.logaddexp(first, second))
    return model


def mixture_draws(rng: np.random.Generator, draws: int) -> Draws:
    """Draw a mode, then from it."""
    mode = rng.choice(2, size=draws, p=_WEIGHTS)
    return {"x": _MODES[mode] + _MODE_SD[mode] * rng.normal(size=(draws, 2))}


def student() -> pm.Model:
    """Student's t with 3 degrees of freedom, scales from 0.1 to 10."""
    with pm.Model() as model:
        pm.StudentT("x", nu=3.0, mu=1.0, sigma=_T_SCALES, shape=10)
    return model


def student_draws(rng: np.random.Generator, draws: int) -> Draws:
    """Draw from Student's t."""
    return {"x": 1.0 + _T_SCALES * rng.standard_t(3.0, size=(draws, 10))}


def student_moments() -> Moments:
    """The variance of 3 degrees of freedom is three times the squared scale."""
    return {"x": (np.ones(10), np.sqrt(3.0) * _T_SCALES)}


POSTERIORS = (
    Posterior("banana", "2-d", ("small", "shape", "curved"), banana, banana_draws),
    Posterior(
        "funnel", "Neal's, 10-d", ("small", "shape", "funnel"), funnel, funnel_draws,
        scales={"x": "arcsinh"},
    ),
    Posterior("mixture", "2-d, two modes", ("small", "shape", "modes"), mixture, mixture_draws),
    Posterior(
        "student", "10-d, 3 degrees of freedom", ("small", "shape", "tails"), student,
        student_draws, student_moments,
    ),
)  # fmt: skip
