"""Gradient estimators: two ways to write log q of a draw, equal in value."""

import jax
from jaxtyping import Array, Float, Scalar

from taut.family import AbstractFamily


def total(
    family: AbstractFamily, noise: Float[Array, " noise"]
) -> tuple[Float[Array, " dim"], Scalar]:
    r"""Differentiate log q through the draw and through its own parameters (PyMC's way).

    .. math:: \nabla_\lambda \log q_\lambda(T_\lambda(\epsilon))

    For a Gaussian the entropy's gradient is then exact, and the estimate keeps a variance at the
    optimum.
    """
    return family.push(noise)


def path(
    family: AbstractFamily, noise: Float[Array, " noise"]
) -> tuple[Float[Array, " dim"], Scalar]:
    r"""Differentiate log q through the draw alone: sticking the landing.

    .. math:: \nabla_\lambda \log q_{\lambda'}(T_\lambda(\epsilon)) \big|_{\lambda' = \lambda}

    The term left out is the score of q, whose mean is zero; without it the estimate has no
    variance where q equals the posterior.

    References
    ----------
    Roeder, Wu, Duvenaud (2017), Sticking the Landing.
    """
    z, _ = family.push(noise)
    return z, jax.lax.stop_gradient(family).log_prob(z)
