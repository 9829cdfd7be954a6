"""What the Gaussian families share."""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Scalar

HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


def log_standard_normal(noise: Float[Array, " dim"]) -> Scalar:
    """Evaluate the log density of independent standard normals."""
    return -0.5 * jnp.sum(noise**2) - noise.shape[0] * HALF_LOG_2PI


def inverse_softplus(scale: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    r"""Solve :math:`\log(1 + e^{\rho}) = s` for :math:`\rho`, without overflow for large s."""
    return scale + np.log(-np.expm1(-scale))
