"""Latents integrated out by Laplace's method."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float, Scalar

from taut.elimination import AbstractElimination
from taut.family import HALF_LOG_2PI
from taut.marginal.field import AbstractField, Globals, Latents
from taut.marginal.newton import MOST_STEPS, mode_of


class MarginalDensity(NamedTuple):
    """A log density with its latents integrated out, at one point.

    Parameters
    ----------
    value, slope
        The log density, in nats, and its gradient in the global unknowns.
    mode
        Of the latents there.
    """

    value: Scalar
    slope: Float[jax.Array, " globals"]
    mode: Latents


def laplace(
    field: AbstractField, is_normal: bool, with_slope: bool, theta: Globals, u: Latents
) -> MarginalDensity:
    r"""Evaluate Laplace's approximation to a marginal density, and its gradient.

    .. math:: \log p(y, \theta) \approx \log p(y, \theta, \hat u) - \tfrac12 \log |H|
              + \tfrac n2 \log 2\pi

    with the mode :math:`\hat u(\theta)` and the negative Hessian `H` there; exact where the latents
    are normal given the rest. The gradient is exact: it knows how the mode moves.

    Parameters
    ----------
    field
        The density.
    is_normal
        Whether latents are normal, to whose mode a single step of Newton's leads.
    with_slope
        Whether to evaluate the gradient, which takes longer than the value; else it is zero.
    theta
        The global unknowns.
    u
        Where the search for the mode begins.

    References
    ----------
    Kristensen, Nielsen, Berg, Skaug, Bell (2016), TMB: Automatic Differentiation and Laplace
    Approximation.
    """
    mode, _ = mode_of(field, theta, u, most=1 if is_normal else MOST_STEPS)
    undamped = jnp.zeros(field.parts, u.dtype)

    def value(theta: Globals, u: Latents) -> tuple[Scalar, AbstractElimination]:
        there = field.local(theta, u)
        factor = there.precision.factor(undamped)
        half = 0.5 * factor.log_det
        return there.values.sum() + there.rest - half + field.size * HALF_LOG_2PI, factor

    if not with_slope:
        return MarginalDensity(value(theta, mode)[0], jnp.zeros_like(theta), mode)
    both = jax.value_and_grad(value, argnums=(0, 1), has_aux=True)(theta, mode)
    (found, factor), (slope, pull) = both
    # How the mode moves with theta: H du = (d slope / d theta) d theta.
    along = factor.solve(pull)

    def moved(theta: Globals) -> Scalar:
        return jax.jvp(lambda u: field.log_density(theta, u), (mode,), (along,))[1]

    return MarginalDensity(found, slope + jax.grad(moved)(theta), mode)


def factored(field: AbstractField, theta: Globals, mode: Latents) -> AbstractElimination:
    """Factor the precision of the latents at their mode."""
    return field.local(theta, mode).precision.factor(jnp.zeros(field.parts, mode.dtype))
