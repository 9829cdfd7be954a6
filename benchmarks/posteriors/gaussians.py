"""Correlated Gaussians of condition number 1e4."""

import functools

import numpy as np
import pymc as pm

from benchmarks.posteriors.base import Draws, Moments, Posterior

_CONDITION = 1e4


@functools.cache
def _gaussian(dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Make mean and Cholesky factor: eigenvalues from 0.01 to 100, in random directions."""
    rng = np.random.default_rng(dim)
    directions, _ = np.linalg.qr(rng.normal(size=(dim, dim)))
    variances = np.geomspace(_CONDITION**-0.5, _CONDITION**0.5, dim)
    return 3.0 * rng.normal(size=dim), np.linalg.cholesky((directions * variances) @ directions.T)


def _model(dim: int) -> pm.Model:
    mean, chol = _gaussian(dim)
    with pm.Model() as model:
        pm.MvNormal("x", mean, chol=chol, initval=np.zeros(dim))
    return model


def _draws(dim: int, rng: np.random.Generator, draws: int) -> Draws:
    mean, chol = _gaussian(dim)
    return {"x": mean + rng.normal(size=(draws, dim)) @ chol.T}


def _moments(dim: int) -> Moments:
    mean, chol = _gaussian(dim)
    return {"x": (mean, np.linalg.norm(chol, axis=1))}


_KINDS = ("gaussian", "correlated")
GAUSSIAN_100 = Posterior(
    "gaussian_100", "condition number 1e4", _KINDS,
    lambda: _model(100), lambda rng, draws: _draws(100, rng, draws),
    lambda: _moments(100),
)  # fmt: skip
GAUSSIAN_1000 = Posterior(
    "gaussian_1000", "condition number 1e4", (*_KINDS, "wide"),
    lambda: _model(1000), lambda rng, draws: _draws(1000, rng, draws),
    lambda: _moments(1000),
)  # fmt: skip
