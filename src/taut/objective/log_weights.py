"""Bounds made of importance weights, and their two gradients."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree, Scalar

from taut.engine import map_draws
from taut.family import AbstractFamily
from taut.objective.estimator import path
from taut.target import Target

Estimator = Callable[..., tuple[Array, Scalar]]


def log_weights(
    family: AbstractFamily, target: Target, batch: PyTree, noise: PyTree, estimator: Estimator
) -> Float[Array, " n_mc"]:
    r"""Evaluate :math:`\log w_s = \log p(y, z_s) - \log q(z_s)` at the draws of some noise."""

    def one(noise: PyTree) -> Scalar:
        z, log_q = estimator(family, noise)
        return target.log_density(z, batch) - log_q

    return map_draws(one, noise, target.rows_of(batch))


def renyi_bound(log_w: Float[Array, " n_mc"], alpha: float, estimator: Estimator) -> Scalar:
    r"""Estimate the Rényi bound from log weights.

    .. math:: L_\alpha = \frac{1}{1 - \alpha} \log \frac1S \sum_s w_s^{1 - \alpha},
              \quad \tilde w_s \propto w_s^{1 - \alpha}

    Its gradient is :math:`\sum_s \tilde w_s \nabla \log w_s`. Where :math:`\log w` is
    differentiated along the path alone, the score that is left out does not vanish, as it does
    for the ELBO: by reparametrising it once more the gradient becomes
    :math:`\sum_s (\alpha \tilde w_s + (1 - \alpha) \tilde w_s^2) \nabla \log w_s`.

    References
    ----------
    Tucker, Lawson, Gu, Maddison (2019), Doubly Reparameterized Gradient Estimators for Monte
    Carlo Objectives.
    """
    power, count = 1.0 - alpha, log_w.shape[0]
    value = jnp.mean(log_w)
    if power:
        value = (jax.nn.logsumexp(power * log_w) - math.log(count)) / power
    weights = jax.nn.softmax(power * log_w)
    if estimator is path:
        weights = alpha * weights + power * weights**2
    # The value of one expression with the gradient of another.
    slope = jax.lax.stop_gradient(weights) @ log_w
    return jax.lax.stop_gradient(value - slope) + slope
