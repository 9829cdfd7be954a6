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
        Quasi-Newton steps to the mode of what crosses the groups.
    """
    plates, size = field.plates, field.groups.size
    factor_at = lambda u: _factor(field, theta, u)  # noqa: E731

    def climb(_: Array, u: Latents) -> Latents:
        found = quadrature(plates, nodes, True, jnp.concatenate([theta, u[size:]]), u[:size])
        near = jnp.concatenate([found.marginal.mode, u[size:]])
        pull = jnp.zeros_like(u).at[size:].set(found.marginal.slope[theta.shape[0] :])
        return near + factor_at(near).solve(pull)

    u = jax.lax.fori_loop(0, steps, climb, u)
    factor = factor_at(u)

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
