"""The Gaussian that is nearest to latents which are not normal, and what its draws tell of them."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Scalar

from taut.elimination import AbstractElimination
from taut.family import HALF_LOG_2PI
from taut.marginal.field import AbstractField, Globals, Latents

# Elements that are expanded at once: more would leave the caches.
_AT_ONCE = 1 << 17

Draws = Float[Array, "draws latents"]


class Conditional(NamedTuple):
    """A Gaussian of latents given the global unknowns.

    Parameters
    ----------
    mean
        Of the latents.
    precision
        Factored.
    """

    mean: Latents
    precision: AbstractElimination


class Points(NamedTuple):
    """What draws of a Gaussian tell of latents that it is near to.

    Parameters
    ----------
    log_ratios
        Logarithms of the density over that of the Gaussian, in nats.
    shift, square
        By how much the latents' means, and the squares of their distances from the Gaussian's, are
        above the Gaussian's own.
    """

    log_ratios: Float[Array, " draws"]
    shift: Latents
    square: Latents


def points_of(
    field: AbstractField,
    theta: Globals,
    conditional: Conditional,
    noise: Draws,
    level: Scalar,
    is_even: Bool[Array, ""],
) -> Points:
    r"""Compare latents with a Gaussian at draws of it.

    .. math:: E_p f - E_q f = E_q [f (w - 1)], \quad w = e^{r - \log Z}, \quad r = \log p - \log q

    or, where these weights are too uneven, by the first cumulants of what is a sum of many terms,
    and thus nearly normal however large it is:

    .. math:: w - 1 \approx \rho + \tfrac12 (\rho^2 - E\rho^2), \quad \rho = r - E r

    Parameters
    ----------
    field
        The density.
    theta
        The global unknowns.
    conditional
        The Gaussian.
    noise
        Normal noise of the draws, each with its mirror image.
    level
        The logarithm of the integral.
    is_even
        Whether weights are even enough.

    References
    ----------
    McCullagh (1987), Tensor Methods in Statistics, section 6.2.
    """
    precision = conditional.precision

    def at(one: Latents) -> tuple[Scalar, Latents]:
        moved = precision.color(one)
        log_q = 0.5 * (precision.log_det - jnp.sum(one**2)) - field.size * HALF_LOG_2PI
        return field.log_density(theta, conditional.mean + moved) - log_q, moved

    log_ratios, moved = jax.lax.map(at, noise, batch_size=_batch(noise))
    away = log_ratios - log_ratios.mean()
    by_cumulants = away + 0.5 * (away**2 - jnp.mean(away**2))
    weights = jnp.exp(log_ratios - level)
    # Less their mean, that an error of the level counts but little.
    tilt = jnp.where(is_even, weights - weights.mean(), by_cumulants) / noise.shape[0]
    return Points(log_ratios, tilt @ moved, tilt @ moved**2)


def nearest(
    field: AbstractField,
    theta: Globals,
    mean: Latents,
    away: Draws,
    fixed: Draws,
    rounds: Int[Array, ""],
) -> Conditional:
    r"""Average gradients and Hessians over draws of a Gaussian until it is the nearest.

    Its precision is then the mean of the negative Hessian over its own draws, and the mean gradient
    over these is zero: it has the least divergence from the latents.

    Parameters
    ----------
    field
        The density.
    theta
        The global unknowns.
    mean, away
        A first mean of the latents, and how far from it the density is looked at first.
    fixed
        Normal noise of the draws, each with its mirror image.
    rounds
        How often gradients and Hessians are averaged.

    References
    ----------
    Opper, Archambeau (2009), The variational Gaussian approximation revisited.
    """
    undamped = jnp.zeros(field.parts, mean.dtype)

    def expand(mean: Latents, away: Draws) -> Conditional:
        def at(one: Latents) -> Any:
            there = field.local(theta, mean + one)
            return there.slope, eqx.filter(there.precision, _is_averaged)

        every = jax.lax.map(at, away, batch_size=_batch(away))
        slope, numbers = jax.tree.map(lambda each: each.mean(axis=0), every)
        # What is no real number, which terms touch which, is the same for all draws.
        known = eqx.filter(field.local(theta, mean).precision, _is_averaged, inverse=True)
        factor = eqx.combine(numbers, known).factor(undamped)
        return Conditional(mean + factor.solve(slope), factor)

    def again(_: Array, state: tuple[Conditional, Draws]) -> tuple[Conditional, Draws]:
        found = expand(state[0].mean, state[1])
        return found, jax.lax.map(found.precision.color, fixed, batch_size=_batch(fixed))

    shapes = jax.eval_shape(expand, mean, away)
    nothing = jax.tree.map(lambda one: jnp.zeros(one.shape, one.dtype), shapes)
    return jax.lax.fori_loop(0, rounds, again, (nothing._replace(mean=mean), away))[0]


def _batch(draws: Draws) -> int:
    return max(1, min(draws.shape[0], _AT_ONCE // draws.shape[1]))


def _is_averaged(leaf: Any) -> bool:
    """Whether a part of a precision depends on where it is; JAX can not map over empty arrays."""
    return eqx.is_inexact_array(leaf) and leaf.size > 0
