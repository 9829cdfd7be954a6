"""Latents of groups integrated out by quadrature, and those that cross these by points."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Scalar

from taut.elimination import Bordered
from taut.family import HALF_LOG_2PI
from taut.marginal.field import Globals, Latents
from taut.marginal.plate_field import PlateField
from taut.marginal.quadrature import Nodes, quadrature

# Share of the Gaussian's variance that few points leave at least.
_LEAST = 0.1

# What a step that is left out would gain, in nats; by what a step that goes down is shortened.
_GAIN, _SHORTER = 1e-3, 0.25

Corner = Float[Array, " corner"]


class CornerIntegral(NamedTuple):
    """A log density with its latents integrated out, and the latents' moments.

    Parameters
    ----------
    value
        In nats.
    log_ratios
        Of the points: the log density of the corner, over that of the Gaussian they are from.
    mean, variances
        Of the latents: those of groups, and then those that cross them.
    precision
        Of the latents at their mode.
    """

    value: Scalar
    log_ratios: Float[Array, " points"]
    mean: Latents
    variances: Latents
    precision: Bordered


class _At(NamedTuple):
    value: Scalar
    mean: Float[Array, " groups"]
    variances: Float[Array, " groups"]


def corner_integral(
    field: PlateField,
    nodes: Nodes,
    theta: Globals,
    u: Latents,
    noise: Float[Array, "points corner"],
    steps: Int[Array, ""],
) -> CornerIntegral:
    r"""Integrate latents of groups out by quadrature at points of those that cross them.

    .. math:: p(y, \theta) \approx \frac1M \sum_m \frac{p(y, a_m, \theta)}{q(a_m)}, \quad
              p(y, a, \theta) = \prod_g \int p(y_g, b_g \mid a, \theta) \, db_g \; p(a \mid \theta)

    where `q` is the Gaussian around the mode of :math:`p(y, a, \theta)` whose precision is the
    Schur complement of the latents' at their mode.

    Parameters
    ----------
    field
        The density.
    nodes
        Of the integrals over groups.
    theta
        The global unknowns.
    u
        The latents' mode, or what is near it.
    noise
        Normal noise of the points, each with its mirror image.
    steps
        Quasi-Newton steps, at most, to the mode of what crosses the groups.
    """
    plates, size = field.plates, field.groups.size
    u = _climbed(field, nodes, theta, u, steps)
    factor = _factor(field, theta, u)

    def at(one: Corner) -> _At:
        there = u + factor.color(jnp.zeros_like(u).at[size:].set(one))
        whole = jnp.concatenate([theta, there[size:]])
        found = quadrature(plates, nodes, False, whole, there[:size])
        variances = jnp.diagonal(found.covariance, axis1=1, axis2=2).reshape(-1)
        return _At(found.marginal.value, found.mean, variances)

    each = jax.lax.map(at, noise)
    count, corner = noise.shape
    log_det = factor.log_det - factor.blocks.log_det
    log_q = 0.5 * (log_det - jnp.sum(noise**2, axis=1)) - corner * HALF_LOG_2PI
    log_ratios = each.value - log_q
    value = jax.nn.logsumexp(log_ratios) - jnp.log(count)
    moments = _moments(factor, u, noise, each, jax.nn.softmax(log_ratios))
    return CornerIntegral(value, log_ratios, *moments, precision=factor)


class _Climb(NamedTuple):
    u: Latents
    value: Scalar
    step: Latents
    share: Scalar
    gain: Scalar
    steps: Int[Array, ""]


def _climbed(
    field: PlateField, nodes: Nodes, theta: Globals, u: Latents, steps: Int[Array, ""]
) -> Latents:
    """Climb to the mode of what crosses groups whose latents are integrated out.

    Steps are those of the latents' precision at their mode; one that goes down is shortened.
    """
    size, nothing = field.groups.size, jnp.zeros((), u.dtype)

    def goes_on(climb: _Climb) -> Array:
        return (climb.steps < steps) & (climb.gain > _GAIN)

    def advance(climb: _Climb) -> _Climb:
        there = climb.u + climb.share * climb.step
        whole = jnp.concatenate([theta, there[size:]])
        found = quadrature(field.plates, nodes, True, whole, there[:size])
        near = jnp.concatenate([found.marginal.mode, there[size:]])
        pull = jnp.zeros_like(u).at[size:].set(found.marginal.slope[theta.shape[0] :])
        step = _factor(field, theta, near).solve(pull)
        value = found.marginal.value
        is_up = (value >= climb.value - _GAIN) & jnp.isfinite(step).all()
        pick = lambda one, other: jnp.where(is_up, one, other)  # noqa: E731
        return _Climb(
            pick(near, climb.u),
            pick(value, climb.value),
            pick(step, climb.step),
            pick(nothing + 1, _SHORTER * climb.share),
            pick(0.5 * pull @ step, jnp.inf),
            climb.steps + 1,
        )

    infinite = nothing + jnp.inf
    begin = _Climb(u, -infinite, jnp.zeros_like(u), nothing + 1, infinite, jnp.int32(0))
    found = jax.lax.while_loop(goes_on, advance, begin)
    return found.u + found.share * found.step


def _moments(
    factor: Bordered,
    u: Latents,
    noise: Float[Array, "points corner"],
    each: _At,
    share: Float[Array, " points"],
) -> tuple[Latents, Latents]:
    """Add what weights tell to the moments of the Gaussian, which are known."""
    size = each.mean.shape[1]
    moved = jax.vmap(lambda one: factor.color(jnp.zeros_like(u).at[size:].set(one)))(noise)
    away = jnp.concatenate([each.mean - u[:size], moved[:, size:]], axis=1)
    middle = share @ away
    of_line = factor.variances().at[:size].add(-factor.blocks.variances())
    between = share @ (away - middle) ** 2 - jnp.mean(moved**2, axis=0) + of_line
    within = jnp.zeros_like(u).at[:size].set(share @ each.variances)
    return u + middle, jnp.maximum(between, _LEAST * of_line) + within


def _factor(field: PlateField, theta: Globals, u: Latents) -> Bordered:
    factor = field.local(theta, u).precision.factor(jnp.zeros(field.parts, u.dtype))
    assert isinstance(factor, Bordered)
    return factor
