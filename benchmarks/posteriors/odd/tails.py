"""Densities with heavy tails, judged on a scale on which they have moments."""

import numpy as np
import pymc as pm
from scipy import stats

from benchmarks.posteriors.odd.base import Odd
from benchmarks.posteriors.odd.grids import Answer, Grid, Independent, even, stretched

_T_SCALES = np.array([0.3, 1.0, 5.0])
_CAUCHY_ROWS = np.array([-1.8, 0.4, 0.9, 6.0])
_ONE_ROW = 1.7
_GROUPS = np.array([-0.4, 0.1, 6.5, 0.6])


def _student(nu: float, scales: np.ndarray) -> pm.Model:
    with pm.Model() as model:
        pm.StudentT("x", nu=nu, mu=0.0, sigma=scales, shape=len(scales))
    return model


def _student_answer(nu: float, scales: np.ndarray, fineness: int) -> Answer:
    cells = 4000 * fineness
    grids = [
        Grid(lambda x, s=s: stats.t.logpdf(x, nu, scale=s), {"x": stretched(s, 1e7 * s, cells)})
        for s in scales
    ]
    return Independent({"x": grids})


def student_3() -> pm.Model:
    """Build Student's t with 3 degrees of freedom, of three scales."""
    return _student(3.0, _T_SCALES)


def student_2() -> pm.Model:
    """Build Student's t with 2.2 degrees of freedom, of three scales."""
    return _student(2.2, _T_SCALES)


def cauchy_location() -> pm.Model:
    """Build a place from four rows with Cauchy noise."""
    with pm.Model() as model:
        place = pm.Flat("place")
        pm.Cauchy("y", place, 1.0, observed=_CAUCHY_ROWS)
    return model


def cauchy_location_answer(fineness: int) -> Answer:
    """Compute it: its tails fall by the eighth power."""
    edges = stretched(1.0, 1e4, 8000 * fineness)
    return Grid(lambda x: sum(stats.cauchy.logpdf(y, x) for y in _CAUCHY_ROWS), {"place": edges})


def half_cauchy() -> pm.Model:
    """Build a scale of which one row tells."""
    with pm.Model() as model:
        scale = pm.HalfCauchy("scale", 1.0)
        pm.Normal("y", 0.0, scale, observed=_ONE_ROW)
    return model


def half_cauchy_answer(fineness: int) -> Answer:
    """Compute it on even cells of the logarithm."""

    def log_density(scale: np.ndarray) -> np.ndarray:
        return stats.halfcauchy.logpdf(scale) + stats.norm.logpdf(_ONE_ROW, 0.0, scale)

    return Grid(log_density, {"scale": np.exp(even(np.log(0.1), 25.0, 5000 * fineness))})


def outlying_group() -> pm.Model:
    """Build four means with Student priors, one of which is far out: two modes."""
    with pm.Model() as model:
        x = pm.StudentT("x", nu=2.5, mu=0.0, sigma=0.4, shape=4)
        pm.Normal("y", x, 1.5, observed=_GROUPS)
    return model


def outlying_group_answer(fineness: int) -> Answer:
    """Compute each mean by itself."""

    def one(y: float) -> Grid:
        def log_density(x: np.ndarray) -> np.ndarray:
            return stats.t.logpdf(x, 2.5, scale=0.4) + stats.norm.logpdf(y, x, 1.5)

        return Grid(log_density, {"x": even(-15.0, 20.0, 5000 * fineness)})

    return Independent({"x": [one(y) for y in _GROUPS]})


ODD = (
    Odd("student_3", "3 degrees of freedom, 3-d", ("small", "tails"), student_3,
        lambda fineness: _student_answer(3.0, _T_SCALES, fineness), {"x": "arcsinh"}),
    Odd("student_2", "2.2 degrees of freedom, 3-d", ("small", "tails"), student_2,
        lambda fineness: _student_answer(2.2, _T_SCALES, fineness), {"x": "arcsinh"}),
    Odd("cauchy_location", "four rows, Cauchy noise", ("small", "tails", "modes"),
        cauchy_location, cauchy_location_answer),
    Odd("half_cauchy", "a scale and one row", ("small", "tails"), half_cauchy,
        half_cauchy_answer, {"scale": "log"}),
    Odd("outlying_group", "a mean far from its prior", ("small", "tails", "modes"),
        outlying_group, outlying_group_answer),
)  # fmt: skip
