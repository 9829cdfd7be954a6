"""A Gaussian process with latent values under counts."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from benchmarks.posteriors.base import Posterior, Sampling

_POINTS = 50
_JITTER = 1e-5


def gaussian_process() -> pm.Model:
    """Poisson counts of a smooth log rate at 50 points, kernel parameters unknown."""
    rng = np.random.default_rng(13)
    t = np.linspace(0.0, 10.0, _POINTS)
    squares = (t[:, None] - t) ** 2
    with pm.Model() as model:
        length = pm.LogNormal("length", 0.3, 0.5)
        height = pm.HalfNormal("height", 1.5)
        level = pm.Normal("level", 0.0, 2.0)
        z = pm.Normal("z", 0.0, 1.0, shape=_POINTS)
        kernel = height**2 * pt.exp(-0.5 * squares / length**2)
        chol = pt.linalg.cholesky(kernel + _JITTER * np.eye(_POINTS))
        rate = pt.exp(level + pt.dot(chol, z))
        pm.Poisson("y", rate, observed=rng.poisson(np.exp(1.0 + np.sin(t))))
    return model


POSTERIORS = (
    Posterior(
        "gaussian_process", "50 latent values, counts", ("process", "counts", "non-centred"),
        gaussian_process, sampling=Sampling(draws=6000, target_accept=0.98),
    ),
)  # fmt: skip
