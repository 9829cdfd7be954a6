"""Latents integrated out by Laplace's method."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, Scalar

from taut.elimination import AbstractElimination
from taut.family import HALF_LOG_2PI
from taut.marginal.field import AbstractField, Globals, Latents, Local
from taut.marginal.newton import MOST_STEPS, mode_of
from taut.marginal.precision import AbstractPrecision


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
    most = 1 if is_normal else MOST_STEPS
    mode, there = mode_of(field, theta, u, most=most, expanded=True)
    factor, weights = _factor(field, there)
    value = there.values.sum() + there.rest - 0.5 * factor.log_det + field.size * HALF_LOG_2PI
    if not with_slope:
        return MarginalDensity(value, jnp.zeros_like(theta), mode)
    of_volume, pull = field.trace_slope(theta, mode, weights)
    # How the mode moves with theta: H du = (d slope / d theta) d theta.
    along = factor.solve(there.slope - 0.5 * pull)

    def moved(theta: Globals) -> tuple[Scalar, Scalar]:
        return jax.jvp(lambda u: field.log_density(theta, u), (mode,), (along,))

    slope = jax.grad(lambda theta: sum(moved(theta)))(theta)
    return MarginalDensity(value, slope - 0.5 * of_volume, mode)


def _factor(field: AbstractField, there: Local) -> tuple[AbstractElimination, AbstractPrecision]:
    """Factor the precision; return also how its log determinant moves with its elements."""
    undamped = jnp.zeros(field.parts, there.slope.dtype)
    numbers, rest = eqx.partition(there.precision, eqx.is_inexact_array)

    def log_det(numbers: AbstractPrecision) -> tuple[Scalar, AbstractElimination]:
        factor = eqx.combine(numbers, rest).factor(undamped)
        return factor.log_det, factor

    weights, factor = jax.grad(log_det, has_aux=True)(numbers)
    return factor, weights


def factored(field: AbstractField, theta: Globals, mode: Latents) -> AbstractElimination:
    """Factor the precision of the latents at their mode."""
    return field.local(theta, mode).precision.factor(jnp.zeros(field.parts, mode.dtype))
