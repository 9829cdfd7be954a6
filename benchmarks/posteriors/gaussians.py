"""Correlated Gaussians of condition number 1e4."""

import numpy as np
import pymc as pm

from benchmarks.posteriors.base import Draws, Moments, Posterior

_CONDITION = 1e4


def moments(dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Make mean and covariance: eigenvalues from 0.01 to 100, in random directions."""
    rng = np.random.default_rng(dim)
    directions, _ = np.linalg.qr(rng.normal(size=(dim, dim)))
    variances = np.geomspace(_CONDITION**-0.5, _CONDITION**0.5, dim)
    return 3.0 * rng.normal(size=dim), (directions * variances) @ directions.T


def _model(dim: int) -> pm.Model:
    mean, covariance = moments(dim)
    with pm.Model() as model:
        pm.MvNormal("x", mean, chol=np.linalg.cholesky(covariance), initval=np.zeros(dim))
    return model


def _draws(dim: int, rng: np.random.Generator, draws: int) -> Draws:
    mean, covariance = moments(dim)
    return {"x": mean + rng.normal(size=(draws, dim)) @ np.linalg.cholesky(covariance).T}


def _moments_of_x(dim: int) -> Moments:
    mean, covariance = moments(dim)
    return {"x": (mean, np.sqrt(np.diag(covariance)))}


_KINDS = ("gaussian", "correlated")
GAUSSIAN_100 = Posterior(
    "gaussian_100", "condition number 1e4", _KINDS,
    lambda: _model(100), lambda rng, draws: _draws(100, rng, draws),
    lambda: _moments_of_x(100),
)  # fmt: skip
GAUSSIAN_1000 = Posterior(
    "gaussian_1000", "condition number 1e4", (*_KINDS, "wide"),
    lambda: _model(1000), lambda rng, draws: _draws(1000, rng, draws),
    lambda: _moments_of_x(1000),
)  # fmt: skip
