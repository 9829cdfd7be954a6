"""Posteriors whose answer is known: the proving ground.

A posterior is one `Posterior` in the module of its kind; its place in `_ALL` buys it every test, a
reference, and a column in every report. Odd densities are a group of their own, with a stricter
rule, and so are models of galleries: no report counts them among the others.
"""

from benchmarks.posteriors import (
    circles_and_bounds,
    counts,
    covariance,
    differential_equation,
    gallery,
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
from benchmarks.posteriors.odd import ZOO

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
ODD: dict[str, Posterior] = {name: odd.posterior for name, odd in ZOO.items()}
GALLERY: dict[str, Posterior] = {posterior.name: posterior for posterior in gallery.POSTERIORS}
EVERY: dict[str, Posterior] = POSTERIORS | ODD | GALLERY

__all__ = ["EVERY", "GALLERY", "ODD", "POSTERIORS", "ZOO", "Posterior", "Sampling"]
