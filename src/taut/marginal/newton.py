"""The mode of latents given the global unknowns."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from taut.marginal.field import AbstractField, Globals, Latents, Local

# Steps at most, and the decrease a quadratic would have, in nats for each part, that ends them:
# the last step squares what is left.
MOST_STEPS, _DECREASE = 60, 1e-9
# Damping after a step that was refused, what each refusal multiplies it by, and under what it is 0.
_DAMPED, _MORE, _NONE = 1e-2, 10.0, 1e-3
# Share of what a quadratic would gain from which on a step calls for less damping.
_GAINED = 0.5
# Share of a value that is rounding.
_ROUNDING = 1e-10


class _Search(NamedTuple):
    u: Latents
    local: Local
    step: Latents
    damping: Float[Array, " parts"]
    expected: Float[Array, " parts"]
    decrease: Float[Array, " parts"]
    steps: Int[Array, ""]
    # Whether the point before was still far from the mode.
    went_on: Bool[Array, ""]


def mode_of(
    field: AbstractField,
    theta: Globals,
    u: Latents,
    *,
    most: int = MOST_STEPS,
    expanded: bool = False,
) -> tuple[Latents, Local]:
    """Climb to the mode of the latents by Newton's method, damped in each part on its own.

    Parameters
    ----------
    field
        The density.
    theta
        The global unknowns.
    u
        Where the search begins.
    most
        Steps at most.
    expanded
        Whether the density is expanded at the mode too, which takes one more expansion.

    Returns
    -------
    tuple
        The mode, and the density around it; or else around a point very near.
    """
    parts = field.parts
    shapes = jax.eval_shape(field.local, theta, u)
    nothing = jax.tree.map(lambda one: jnp.zeros(one.shape, one.dtype), shapes)
    begin = _Search(
        u, nothing, jnp.zeros_like(u), jnp.zeros(parts, u.dtype), jnp.zeros(parts, u.dtype),
        jnp.full(parts, jnp.inf, u.dtype), jnp.int32(0), jnp.bool_(True),
    )  # fmt: skip

    def goes_on(search: _Search) -> Array:
        if expanded:
            return search.went_on & (search.steps <= most)
        return _is_far(search) & (search.steps < most)

    found = jax.lax.while_loop(goes_on, lambda search: _step(field, theta, search), begin)
    return found.u if expanded else found.u + found.step, found.local


def _is_far(search: _Search) -> Bool[Array, ""]:
    return jnp.any(search.decrease > _DECREASE)


def _step(field: AbstractField, theta: Globals, search: _Search) -> _Search:
    """Move each part that goes up by its step, damp the others, and find the next step.

    The first step is none, and finds what is around the start.
    """
    before, u = search.local, search.u + search.step
    there = field.local(theta, u)
    room = _ROUNDING * (1.0 + jnp.abs(before.values))
    is_first = search.steps == 0
    is_up = (is_first | (there.values >= before.values - room)) & jnp.isfinite(there.values)
    spread = lambda each: jnp.repeat(each, u.shape[0] // field.parts)  # noqa: E731
    moves = spread(is_up) if field.parts > 1 else jnp.broadcast_to(is_up, u.shape)
    lower = search.damping / _MORE
    lower = jnp.where(lower < _NONE, 0.0, lower)
    is_good = there.values - before.values >= _GAINED * search.expected - room
    kept = jnp.where(is_good, lower, search.damping)
    damping = jnp.where(is_up, kept, jnp.maximum(search.damping * _MORE, _DAMPED))
    local = Local(
        jnp.where(is_up, there.values, before.values),
        there.rest,
        jnp.where(moves, there.slope, before.slope),
        there.precision.chosen(is_up, before.precision),
    )
    step = local.precision.factor(damping).solve(local.slope)
    decrease = 0.5 * (local.slope * step).reshape(field.parts, -1).sum(axis=1)
    is_known = is_up & (damping == 0.0) & jnp.isfinite(decrease)
    return _Search(
        jnp.where(moves, u, search.u),
        local,
        step,
        damping,
        decrease,
        jnp.where(is_known, decrease, jnp.inf),
        search.steps + 1,
        _is_far(search),
    )
