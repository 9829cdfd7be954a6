"""The Gaussian of a mode's curvature, from differences of gradients."""

import numpy as np
from jaxtyping import Float

from taut.gaussian import DenseNormal
from taut.gradients import AbstractGradients

# Steps of the differences in standard deviations: the error of central ones is then 1e-8.
_STEP = 1e-4
# Curvatures this much smaller than the largest are taken for none.
_FLAT = 1e-12


def laplace_at(
    gradients: AbstractGradients, mode: Float[np.ndarray, " dim"], scale: Float[np.ndarray, " dim"]
) -> DenseNormal | None:
    """Fit a Gaussian to the curvature at a mode, by two gradients for each dimension.

    Parameters
    ----------
    gradients
        Of the log density.
    mode
        Where its gradient is zero.
    scale
        Standard deviations, roughly: differences are taken along them.

    Returns
    -------
    DenseNormal or None
        None where the density does not fall in every direction.
    """
    steps = np.diag(_STEP * scale)
    _, ahead = gradients(mode + steps)
    _, behind = gradients(mode - steps)
    # In units of the scales, where the matrix is well conditioned.
    curvature = (behind - ahead) * scale / (2.0 * _STEP)
    curvature = 0.5 * (curvature + curvature.T)
    if not np.isfinite(curvature).all():
        return None
    values, vectors = np.linalg.eigh(curvature)
    if not values[0] > _FLAT * values[-1]:
        return None
    return DenseNormal.of(mode, (vectors / values) @ vectors.T * scale[:, None] * scale)
