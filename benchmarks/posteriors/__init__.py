"""Posteriors whose answer is known: the proving ground.

A posterior is one `Posterior` in the module of its kind; its place in `_ALL` buys it every test, a
reference, and a column in every report.
"""

from benchmarks.posteriors import (
    circles_and_bounds,
    counts,
    covariance,
    differential_equation,
    gaussian_process,
    gaussians,
    hierarchical,
    horseshoe,
    item_response,
    linear,
    logistic,
    schools,
    shapes,
    stochastic_volatility,
    time_series,
)
from benchmarks.posteriors.base import Posterior, Sampling

# Cheap ones first: a run that is stopped early has most of the posteriors.
_ALL: tuple[Posterior, ...] = (
    *counts.POSTERIORS,
    *schools.POSTERIORS,
    *shapes.POSTERIORS,
    *circles_and_bounds.POSTERIORS,
    *covariance.POSTERIORS,
    gaussians.GAUSSIAN_100,
    linear.RAW_COLUMNS,
    *time_series.POSTERIORS,
    *hierarchical.POSTERIORS,
    *gaussian_process.POSTERIORS,
    *horseshoe.POSTERIORS,
    *differential_equation.POSTERIORS,
    *stochastic_volatility.POSTERIORS,
    *logistic.POSTERIORS,
    *item_response.POSTERIORS,
    gaussians.GAUSSIAN_1000,
    linear.MANY_ROWS,
)
POSTERIORS: dict[str, Posterior] = {posterior.name: posterior for posterior in _ALL}

__all__ = ["POSTERIORS", "Posterior", "Sampling"]
