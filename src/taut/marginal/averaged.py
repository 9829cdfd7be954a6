"""The Gaussian that is nearest to latents which are not normal, and importance points from it."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Scalar

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


class Sampled(NamedTuple):
    """A log density with its latents integrated out by importance points, at one point.

    Parameters
    ----------
    value
        An estimate of the log density, in nats; its exponential has no bias.
    mean
        Of the latents, by these points' weights.
    square
        Weighted squares of the points' distances from it.
    spread
        Standard deviation of the logarithms of the points' weights.
    """

    value: Scalar
    mean: Latents
    square: Latents
    spread: Scalar


def sampled(
    field: AbstractField,
    theta: Globals,
    mean: Latents,
    away: Draws,
    fixed: Draws,
    rounds: Int[Array, ""],
    noise: Draws,
) -> Sampled:
    r"""Integrate latents out by importance points from the Gaussian that is nearest to them.

    .. math:: \hat p(y, \theta) = \frac1S \sum_s \frac{p(y, \theta, u_s)}{q(u_s)}, \quad
              u_s = m + L^{-\top} \epsilon_s

    where `q` has the least divergence from the latents: its precision is the mean of the negative
    Hessian over its own draws, and the mean gradient over these is zero.

    Parameters
    ----------
    field
        The density.
    theta
        The global unknowns.
    mean, away
        A first mean of the latents, and how far from it the density is looked at first.
    fixed
        Normal noise of the draws over which Hessians are averaged, each with its mirror image.
    rounds
        How often they are averaged.
    noise
        Normal noise of the points, each with its mirror image.

    References
    ----------
    Opper, Archambeau (2009), The variational Gaussian approximation revisited. Shephard, Pitt
    (1997), Likelihood analysis of non-Gaussian measurement time series.
    """
    conditional = nearest(field, theta, mean, away, fixed, rounds)
    precision = conditional.precision

    def at(one: Latents) -> tuple[Scalar, Latents]:
        moved = precision.color(one)
        log_q = 0.5 * (precision.log_det - jnp.sum(one**2)) - field.size * HALF_LOG_2PI
        return field.log_density(theta, conditional.mean + moved) - log_q, moved

    log_ratios, moved = jax.lax.map(at, noise, batch_size=_batch(noise))
    value = jax.nn.logsumexp(log_ratios) - jnp.log(noise.shape[0])
    share = jax.nn.softmax(log_ratios)
    shift = share @ moved
    square = share @ moved**2 - shift**2
    return Sampled(value, conditional.mean + shift, square, log_ratios.std())


def nearest(
    field: AbstractField,
    theta: Globals,
    mean: Latents,
    away: Draws,
    fixed: Draws,
    rounds: Int[Array, ""],
) -> Conditional:
    """Average gradients and Hessians over draws of a Gaussian until it is the nearest."""
    undamped = jnp.zeros(field.parts, mean.dtype)

    def expand(mean: Latents, away: Draws) -> Conditional:
        def at(one: Latents) -> Any:
            there = field.local(theta, mean + one)
            return there.slope, eqx.filter(there.precision, eqx.is_inexact_array)

        every = jax.lax.map(at, away, batch_size=_batch(away))
        slope, numbers = jax.tree.map(lambda each: each.mean(axis=0), every)
        # What is no real number, which terms touch which, is the same for all draws.
        known = eqx.filter(field.local(theta, mean).precision, eqx.is_inexact_array, inverse=True)
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
