"""Densities with kinks and plateaus: absolute values, hinges, maxima, walls."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy import stats

from benchmarks.posteriors.odd.base import Odd
from benchmarks.posteriors.odd.grids import Answer, Grid, Independent, Linear, even

_HALF_WIDTHS, _WALL = np.array([0.5, 1.0, 4.0]), 0.03
_STAIRS = 4
_LASSO_ROWS = np.array([0.0, 0.1, -0.3, 0.8, -1.6, 2.5, 0.4, -0.05])
_LASSO_WIDTH = 0.4
_X = np.array([-1.6, -1.2, -0.9, -0.5, -0.2, 0.1, 0.4, 0.8, 1.1, 1.5, 1.9])
_Y = np.array([-0.6, 0.2, -0.1, 0.5, 4.0, 1.1, 0.9, 1.8, 1.5, 2.2, -1.0])
_HINGE_TIMES = np.linspace(0.0, 10.0, 16)
_HINGE_ROWS = np.array([
    1.2, 0.5, 1.1, 0.8, 1.4, 0.9, 0.7, 1.5, 1.4, 2.3, 2.2, 3.4, 3.3, 4.4, 4.1, 5.3,
])  # fmt: skip
_FOLDED_ROWS = np.array([0.9, 1.3, 0.6])
_MAXIMA, _MINIMA = np.array([1.1, 0.6, 1.4]), np.array([-0.2, 0.3])


def plateau() -> pm.Model:
    """Build flat pieces between steep walls, of three widths."""
    with pm.Model() as model:
        x = pm.Flat("x", shape=3)
        beyond = pt.maximum(pt.abs(x) - _HALF_WIDTHS, 0.0) / (_WALL * _HALF_WIDTHS)
        pm.Potential("walls", -0.5 * pt.sum(beyond**2))
    return model


def plateau_answer(fineness: int) -> Answer:
    """Compute each by itself: beyond its flat piece it falls like a normal."""

    def one(half: float) -> Grid:
        def log_density(x: np.ndarray) -> np.ndarray:
            return -0.5 * (np.maximum(np.abs(x) - half, 0.0) / (_WALL * half)) ** 2

        edges = even(-1.5 * half, 1.5 * half, 6000 * fineness, [-half, half])
        return Grid(log_density, {"x": edges})

    return Independent({"x": [one(half) for half in _HALF_WIDTHS]})


def stairs() -> pm.Model:
    """Build a density that is constant on each of four steps."""
    with pm.Model() as model:
        x = pm.Uniform("x", 0.0, float(_STAIRS))
        pm.Potential("steps", pt.log(1.0 + pt.floor(x)))
    return model


def stairs_answer(fineness: int) -> Answer:
    """Compute it with edges on the steps."""
    edges = even(0.0, _STAIRS, 400 * fineness, np.arange(1.0, _STAIRS))
    return Grid(lambda x: np.log1p(np.floor(x)), {"x": edges})


def lasso() -> pm.Model:
    """Build eight means with Laplace priors, of which most stay near the kink."""
    with pm.Model() as model:
        x = pm.Laplace("x", 0.0, _LASSO_WIDTH, shape=8)
        pm.Normal("y", x, 0.7, observed=_LASSO_ROWS)
    return model


def lasso_answer(fineness: int) -> Answer:
    """Compute each mean by itself."""

    def one(y: float) -> Grid:
        def log_density(x: np.ndarray) -> np.ndarray:
            return stats.laplace.logpdf(x, scale=_LASSO_WIDTH) + stats.norm.logpdf(y, x, 0.7)

        return Grid(log_density, {"x": even(-8.0, 8.0, 4000 * fineness, [0.0])})

    return Independent({"x": [one(y) for y in _LASSO_ROWS]})


def median_regression() -> pm.Model:
    """Build a line through outliers, by absolute errors of unknown size."""
    with pm.Model() as model:
        a, b = pm.Normal("intercept", 0.0, 2.0), pm.Normal("slope", 0.0, 2.0)
        size = pm.HalfNormal("size", 1.0)
        pm.Laplace("y", a + b * _X, size, observed=_Y)
    return model


def median_regression_answer(fineness: int) -> Answer:
    """Compute it on cubes."""

    def log_density(a: np.ndarray, b: np.ndarray, size: np.ndarray) -> np.ndarray:
        priors = stats.norm.logpdf(a, 0, 2) + stats.norm.logpdf(b, 0, 2)
        off = sum(np.abs(y - a - b * x) for x, y in zip(_X, _Y, strict=True))
        return priors + stats.halfnorm.logpdf(size) - off / size - len(_X) * np.log(size)

    cells = 120 * fineness
    return Grid(log_density, {
        "intercept": even(-3.0, 4.5, cells), "slope": even(-3.0, 4.0, cells),
        "size": even(0.2, 4.5, cells),
    })  # fmt: skip


def hinge() -> pm.Model:
    """Build a line that bends at an unknown place."""
    with pm.Model() as model:
        knot = pm.Uniform("knot", 0.0, 10.0)
        level, slope = pm.Normal("level", 0.0, 3.0), pm.Normal("slope", 0.0, 2.0)
        bent = level + slope * pt.maximum(_HINGE_TIMES - knot, 0.0)
        pm.Normal("y", bent, 0.4, observed=_HINGE_ROWS)
    return model


def hinge_answer(fineness: int) -> Answer:
    """Compute it by the conjugate line of each knot."""

    def design(knot: float) -> np.ndarray:
        return np.stack([np.ones(16), np.maximum(_HINGE_TIMES - knot, 0.0)], axis=-1)

    edges = even(0.0, 10.0, 1500 * fineness, _HINGE_TIMES)
    prior_sd = np.array([3.0, 2.0])
    return Linear(("level", "slope"), prior_sd, design, _HINGE_ROWS, 0.4, "knot", edges)


def folded() -> pm.Model:
    """Build data around a sum of absolute values: four modes that meet in kinks."""
    with pm.Model() as model:
        a, b = pm.Normal("a", 0.3, 1.0), pm.Normal("b", -0.2, 0.7)
        pm.Normal("y", pt.abs(a) + pt.abs(b), 0.6, observed=_FOLDED_ROWS)
    return model


def folded_answer(fineness: int) -> Answer:
    """Compute it on squares, with edges on the kinks."""

    def log_density(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        rows = sum(stats.norm.logpdf(y, np.abs(a) + np.abs(b), 0.6) for y in _FOLDED_ROWS)
        return stats.norm.logpdf(a, 0.3) + stats.norm.logpdf(b, -0.2, 0.7) + rows

    cells = 400 * fineness
    return Grid(log_density, {"a": even(-5, 5, cells, [0.0]), "b": even(-5, 5, cells, [0.0])})


def extremes() -> pm.Model:
    """Build two variables of which the larger and the smaller are measured."""
    with pm.Model() as model:
        a, b = pm.Normal("a", 0.0, 1.0), pm.Normal("b", 0.5, 1.0)
        pm.Normal("largest", pt.maximum(a, b), 0.5, observed=_MAXIMA)
        pm.Normal("smallest", pt.minimum(a, b), 0.9, observed=_MINIMA)
    return model


def extremes_answer(fineness: int) -> Answer:
    """Compute it on squares."""

    def log_density(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        above = sum(stats.norm.logpdf(y, np.maximum(a, b), 0.5) for y in _MAXIMA)
        below = sum(stats.norm.logpdf(y, np.minimum(a, b), 0.9) for y in _MINIMA)
        return stats.norm.logpdf(a) + stats.norm.logpdf(b, 0.5) + above + below

    edges = even(-4.0, 4.0, 500 * fineness)
    return Grid(log_density, {"a": edges, "b": edges})


ODD = (
    Odd("plateau", "flat between steep walls", ("small", "plateau"), plateau, plateau_answer),
    Odd("stairs", "four steps", ("small", "plateau", "jump"), stairs, stairs_answer),
    Odd("lasso", "eight Laplace priors", ("small", "kink"), lasso, lasso_answer),
    Odd(
        "median_regression", "11 rows, Laplace errors", ("small", "kink"), median_regression,
        median_regression_answer,
    ),
    Odd("hinge", "a line with an unknown knot", ("small", "kink"), hinge, hinge_answer),
    Odd("folded", "absolute values", ("small", "kink", "modes"), folded, folded_answer),
    Odd("extremes", "larger and smaller of two", ("small", "kink", "modes"), extremes,
        extremes_answer),
)  # fmt: skip
