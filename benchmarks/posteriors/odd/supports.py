"""Likelihoods whose support moves with a variable."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy import stats
from scipy.special import log_ndtr

from benchmarks.posteriors.odd.base import Odd
from benchmarks.posteriors.odd.grids import Answer, Grid, even

_BELOW = np.array([1.2, 3.4, 0.3, 2.8, 3.9])
_WINDOW = np.array([0.75, 0.35, 0.5, 0.62])
_WAITS = np.array([0.6, 1.9, 0.8, 1.1, 3.2, 0.75])
_CUT = np.array([0.4, -0.3, 1.1, 0.9, -1.2, 0.7, 1.3, 0.2])


def uniform_scale() -> pm.Model:
    """Build uniform data up to an unknown end."""
    with pm.Model() as model:
        end = pm.HalfNormal("end", 8.0)
        pm.Uniform("y", 0.0, end, observed=_BELOW)
    return model


def uniform_scale_answer(fineness: int) -> Answer:
    """Compute it from the largest datum on."""

    def log_density(end: np.ndarray) -> np.ndarray:
        return stats.halfnorm.logpdf(end, scale=8.0) - len(_BELOW) * np.log(end)

    return Grid(log_density, {"end": even(_BELOW.max(), 60.0, 20_000 * fineness)})


def uniform_window() -> pm.Model:
    """Build uniform data in a window of width one at an unknown place."""
    with pm.Model() as model:
        begin = pm.Normal("begin", 0.0, 5.0)
        pm.Uniform("y", begin, begin + 1.0, observed=_WINDOW)
    return model


def uniform_window_answer(fineness: int) -> Answer:
    """Compute the prior where the window holds all data."""
    edges = even(_WINDOW.max() - 1.0, _WINDOW.min(), 500 * fineness)
    return Grid(lambda begin: stats.norm.logpdf(begin, 0.0, 5.0), {"begin": edges})


def shifted_exponential() -> pm.Model:
    """Build waiting times that begin at an unknown moment."""
    with pm.Model() as model:
        begin, rate = pm.Normal("begin", 0.0, 1.0), pm.Gamma("rate", 2.0, 1.0)
        pm.Potential("waits", pm.logp(pm.Exponential.dist(rate), _WAITS - begin).sum())
    return model


def shifted_exponential_answer(fineness: int) -> Answer:
    """Compute it up to the first datum."""

    def log_density(begin: np.ndarray, rate: np.ndarray) -> np.ndarray:
        rows = sum(np.log(rate) - rate * (wait - begin) for wait in _WAITS)
        return stats.norm.logpdf(begin) + stats.gamma.logpdf(rate, 2.0) + rows

    begin = even(-5.0, _WAITS.min(), 800 * fineness)
    return Grid(log_density, {"begin": begin, "rate": even(0.0, 8.0, 800 * fineness)})


def truncated() -> pm.Model:
    """Build normal data that are cut off at an unknown bound."""
    with pm.Model() as model:
        mu, bound = pm.Normal("mu", 0.0, 1.0), pm.HalfNormal("bound", 3.0)
        pm.Truncated("y", pm.Normal.dist(mu, 1.0), upper=bound, observed=_CUT)
    return model


def truncated_answer(fineness: int) -> Answer:
    """Compute it from the largest datum on."""

    def log_density(mu: np.ndarray, bound: np.ndarray) -> np.ndarray:
        rows = sum(stats.norm.logpdf(y, mu) for y in _CUT) - len(_CUT) * log_ndtr(bound - mu)
        return stats.norm.logpdf(mu) + stats.halfnorm.logpdf(bound, scale=3.0) + rows

    bound = even(_CUT.max(), 18.0, 1200 * fineness)
    return Grid(log_density, {"mu": even(-5.0, 6.0, 500 * fineness), "bound": bound})


def support_of_two() -> pm.Model:
    """Build uniform data between two unknown ends."""
    with pm.Model() as model:
        low, width = pm.Normal("low", -1.0, 2.0), pm.HalfNormal("width", 4.0)
        pm.Potential("inside", pt.switch(
            pt.and_(pt.le(low, _CUT.min()), pt.ge(low + width, _CUT.max())),
            -len(_CUT) * pt.log(width), -np.inf,
        ))  # fmt: skip
    return model


def support_of_two_answer(fineness: int) -> Answer:
    """Compute it where both ends hold the data; the slanting edge by the share of a cell."""
    low = even(-12.0, _CUT.min(), 1200 * fineness)
    width = even(_CUT.max() - _CUT.min(), 22.0, 1200 * fineness)
    height = float(np.diff(low).max() + np.diff(width).max())

    def log_density(low: np.ndarray, width: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            inside = np.log(np.clip((low + width - _CUT.max()) / height + 0.5, 0.0, 1.0))
        priors = stats.norm.logpdf(low, -1.0, 2.0) + stats.halfnorm.logpdf(width, scale=4.0)
        return priors - len(_CUT) * np.log(width) + inside

    return Grid(log_density, {"low": low, "width": width})


ODD = (
    Odd("uniform_scale", "uniform up to an unknown end", ("small", "support"), uniform_scale,
        uniform_scale_answer, {"end": "log"}),
    Odd("uniform_window", "uniform in an unknown window", ("small", "support"), uniform_window,
        uniform_window_answer),
    Odd("shifted_exponential", "waits from an unknown moment", ("small", "support"),
        shifted_exponential, shifted_exponential_answer),
    Odd("truncated", "cut off at an unknown bound", ("small", "support"), truncated,
        truncated_answer),
    Odd("support_of_two", "uniform between unknown ends", ("small", "support"), support_of_two,
        support_of_two_answer),
)  # fmt: skip
