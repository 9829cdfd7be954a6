"""Densities with jumps: comparisons, floors and signs, whose gradient does not tell of them."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy import stats

from benchmarks.posteriors.odd.base import Odd
from benchmarks.posteriors.odd.grids import Answer, Grid, Linear, even

_STEP_AT, _STEP = 0.4, 1.5
_ORDER_MEANS, _PENALTY = (0.5, 0.0, 0.4), 2.0
_SIGN_ROWS = np.array([0.9, 0.1, 1.4, 0.3])
_FLOOR_ROWS = np.array([2.4, 3.1, 2.9])
_ROUND_ROWS = np.array([1.3, 0.8, 1.9, 1.1, 0.6])
_TIMES = np.arange(0.5, 10.0)
_SERIES = np.array([0.3, -0.9, 0.6, 0.1, 1.2, 1.9, 0.8, 2.4, 1.1, 1.7])
# Mean, sd and share of the two sides of zero; what is cut off is not made up for.
_LEFT, _RIGHT = (-1.0, 0.8, 0.5), (1.2, 0.7, 0.5)


def jump() -> pm.Model:
    """Build a normal variable that is likelier above a threshold."""
    with pm.Model() as model:
        x = pm.Normal("x", 0.0, 1.0)
        pm.Potential("step", pt.switch(x > _STEP_AT, _STEP, 0.0))
    return model


def jump_answer(fineness: int) -> Answer:
    """Compute it with an edge on the threshold."""
    edges = even(-8.0, 8.0, 4000 * fineness, [_STEP_AT])
    return Grid(lambda x: stats.norm.logpdf(x) + _STEP * (x > _STEP_AT), {"x": edges})


def order() -> pm.Model:
    """Build three variables with a penalty for each pair of neighbours out of order."""
    with pm.Model() as model:
        names = "first", "second", "third"
        a, b, c = (pm.Normal(n, m, 1.0) for n, m in zip(names, _ORDER_MEANS, strict=True))
        wrong = (pt.switch(low > high, _PENALTY, 0.0) for low, high in ((a, b), (b, c)))
        pm.Potential("order", -sum(wrong))
    return model


def order_answer(fineness: int) -> Answer:
    """Compute it on cubes, of which those on a diagonal are half in order."""

    def penalty(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return np.log1p(np.heaviside(np.round(low - high, 9), 0.5) * np.expm1(-_PENALTY))

    def log_density(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
        priors = (stats.norm.logpdf(x, m) for x, m in zip((a, b, c), _ORDER_MEANS, strict=True))
        return sum(priors) + penalty(a, b) + penalty(b, c)

    edges = even(-5.0, 6.0, 100 * fineness)
    return Grid(log_density, dict.fromkeys(("first", "second", "third"), edges))


def sign() -> pm.Model:
    """Build a level that takes its direction from the sign of a variable."""
    with pm.Model() as model:
        a, b = pm.Normal("a", 0.0, 1.0), pm.Normal("b", 0.0, 1.0)
        pm.Normal("y", pt.sign(a) * 0.7 + 0.5 * b, 1.0, observed=_SIGN_ROWS)
    return model


def sign_answer(fineness: int) -> Answer:
    """Compute it on squares, with an edge where the sign changes."""

    def log_density(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        rows = sum(stats.norm.logpdf(y, np.sign(a) * 0.7 + 0.5 * b) for y in _SIGN_ROWS)
        return stats.norm.logpdf(a) + stats.norm.logpdf(b) + rows

    cells = 400 * fineness
    return Grid(log_density, {"a": even(-7, 7, cells, [0.0]), "b": even(-7, 7, cells)})


def floors() -> pm.Model:
    """Build data around the whole part of a variable, with unknown noise."""
    with pm.Model() as model:
        x, sigma = pm.Normal("x", 3.4, 1.0), pm.HalfNormal("sigma", 1.0)
        pm.Normal("y", pt.floor(x), sigma, observed=_FLOOR_ROWS)
    return model


def floors_answer(fineness: int) -> Answer:
    """Compute it with edges on whole numbers."""

    def log_density(x: np.ndarray, sigma: np.ndarray) -> np.ndarray:
        rows = sum(stats.norm.logpdf(y, np.floor(x), sigma) for y in _FLOOR_ROWS)
        return stats.norm.logpdf(x, 3.4) + stats.halfnorm.logpdf(sigma) + rows

    x = even(-4.0, 11.0, 900 * fineness, np.arange(-3.0, 11.0))
    return Grid(log_density, {"x": x, "sigma": even(0.0, 7.0, 700 * fineness)})


def rounding() -> pm.Model:
    """Build data around a rounded variable and a smooth one."""
    with pm.Model() as model:
        a, b = pm.Normal("a", 0.5, 1.0), pm.Normal("b", 0.0, 0.5)
        pm.Normal("y", pt.round(a) + b, 0.7, observed=_ROUND_ROWS)
    return model


def rounding_answer(fineness: int) -> Answer:
    """Compute it with edges halfway between whole numbers."""

    def log_density(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        rows = sum(stats.norm.logpdf(y, np.round(a) + b, 0.7) for y in _ROUND_ROWS)
        return stats.norm.logpdf(a, 0.5) + stats.norm.logpdf(b, 0.0, 0.5) + rows

    a = even(-7.0, 8.0, 600 * fineness, np.arange(-6.5, 8.0))
    return Grid(log_density, {"a": a, "b": even(-3.5, 3.5, 400 * fineness)})


def change_point() -> pm.Model:
    """Build a level that changes at an unknown time."""
    with pm.Model() as model:
        time = pm.Uniform("time", 0.0, 10.0)
        before, after = pm.Normal("before", 0.0, 2.0), pm.Normal("after", 0.0, 2.0)
        pm.Normal("y", pt.switch(time > _TIMES, before, after), 0.8, observed=_SERIES)
    return model


def change_point_answer(fineness: int) -> Answer:
    """Compute it in closed form: between two observations nothing depends on the time."""

    def design(time: float) -> np.ndarray:
        return np.stack([time > _TIMES, time <= _TIMES], axis=-1).astype(float)

    edges = even(0.0, 10.0, 200 * fineness, _TIMES)
    prior_sd = np.array([2.0, 2.0])
    return Linear(("before", "after"), prior_sd, design, _SERIES, 0.8, "time", edges)


def two_sides() -> pm.Model:
    """Build two humps that meet in a jump at zero, and a companion that leans on them."""
    with pm.Model() as model:
        x = pm.Flat("x")
        left, right = (
            np.log(share) + pm.logp(pm.Normal.dist(mean, sd), x)
            for mean, sd, share in (_LEFT, _RIGHT)
        )
        pm.Potential("sides", pt.switch(x < 0.0, left, right))
        pm.Normal("companion", 0.5 * x, 0.5)
    return model


def two_sides_answer(fineness: int) -> Answer:
    """Compute it with an edge at zero."""

    def log_density(x: np.ndarray, companion: np.ndarray) -> np.ndarray:
        left, right = (
            np.log(share) + stats.norm.logpdf(x, mean, sd) for mean, sd, share in (_LEFT, _RIGHT)
        )
        return np.where(x < 0.0, left, right) + stats.norm.logpdf(companion, 0.5 * x, 0.5)

    cells = 400 * fineness
    return Grid(log_density, {"x": even(-6, 6, cells, [0.0]), "companion": even(-6, 6, cells)})


ODD = (
    Odd("jump", "normal with a step", ("small", "jump"), jump, jump_answer),
    Odd("order", "three, a penalty for disorder", ("small", "jump"), order, order_answer),
    Odd("sign", "the sign of a variable", ("small", "jump", "modes"), sign, sign_answer),
    Odd("floors", "floor of a variable", ("small", "jump"), floors, floors_answer),
    Odd("rounding", "a rounded variable", ("small", "jump"), rounding, rounding_answer),
    Odd(
        "change_point", "a level before and after", ("small", "jump"), change_point,
        change_point_answer,
    ),
    Odd("two_sides", "two humps and a jump", ("small", "jump", "modes"), two_sides,
        two_sides_answer),
)  # fmt: skip
