"""What is done for many data sets by one call of a program: each along the first axis."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt32

from taut import seed
from taut.chains import (
    FIRST_STEP,
    Coordinates,
    Place,
    Round,
    a_round,
    a_round_in,
    coordinates_of,
    first_place,
    whitened,
)
from taut.engine import Devices
from taut.many.ascent import climb, root_at
from taut.target import Target

# Chains of each data set, and transitions of a round.
CHAINS, TRANSITIONS = 32, 30
# A path whose end is so many nats lower than the best is left aside, and chains begin in its place
# where that one came to; how far around an end they begin, in standard deviations.
_LOWER, _AROUND = 12.0, 0.8


class Begun(NamedTuple):
    """Where chains begin.

    Parameters
    ----------
    values
        The log density at the first start.
    place
        Coordinates.
    z
        The chains.
    log_step
        Logarithm of a step size.
    """

    values: Float[Array, " sets"]
    place: Place
    z: Float[Array, "sets chains dim"]
    log_step: Float[Array, " sets"]


def begin(
    targets: Target, starts: Float[Array, "sets paths dim"], words: UInt32[Array, "sets 2"]
) -> Begun:
    """Follow paths to modes, and scatter chains around where they end; a program for `Programs`."""
    return jax.vmap(_begin)(targets, starts, words)


def _begin(target: Target, starts: Float[Array, "paths dim"], words: UInt32[Array, " 2"]) -> Begun:
    # Non-centred, in which a hierarchy has a mode.
    dim, dtype = target.dim, target.dtype
    plain = first_place(target, jnp.zeros(dim, dtype), jnp.eye(dim, dtype=dtype))
    coordinates: Any = coordinates_of(target, plain)

    def density(x: Float[Array, " dim"]) -> Array:
        z, log_det = coordinates.push(x[None])
        return target.log_density(z[0]) + log_det[0]

    both = jax.value_and_grad(density)
    peaks = jax.vmap(lambda x: climb(both, x))(whitened(target, plain, starts))
    best = jnp.argmax(peaks.value)
    root = root_at(both, jax.tree.map(lambda one: one[best], peaks))
    numbers = jnp.arange(CHAINS) % len(starts)
    numbers = jnp.where(peaks.value[numbers] > peaks.value[best] - _LOWER, numbers, best)
    noise = jax.random.normal(_key(words, jnp.int32(0)), (CHAINS, dim), dtype)
    x = peaks.at[numbers] + _AROUND * noise @ root.T
    z, _ = coordinates.push(x)
    place = first_place(target, peaks.at[best], root)
    log_step = jnp.full((), jnp.log(FIRST_STEP * dim**-0.25), dtype)
    return Begun(target.log_density(starts[0]), place, z, log_step)


def go_on(
    targets: Target,
    places: Place,
    z: Float[Array, "sets chains dim"],
    log_step: Float[Array, " sets"],
    rate: Float[Array, " sets"],
    words: UInt32[Array, "sets 2"],
    number: Int[Array, " sets"],
) -> Round:
    """Let chains make one round, each data set its own; a program for `Programs`."""
    keys = jax.vmap(_key)(words, number)
    one = partial(a_round, transitions=TRANSITIONS)
    return jax.vmap(one)(targets, places, z, log_step, rate, keys)


def go_on_in(
    targets: Target,
    coordinates: Coordinates,
    x: Float[Array, "sets chains dim"],
    log_step: Float[Array, " sets"],
    rate: Float[Array, " sets"],
    words: UInt32[Array, "sets 2"],
    number: Int[Array, " sets"],
) -> Round:
    """Do the same in coordinates of any kind; a program for `Programs`."""
    keys = jax.vmap(_key)(words, number)
    one = partial(a_round_in, transitions=TRANSITIONS)
    return jax.vmap(one)(targets, coordinates, x, log_step, rate, keys)


def on_devices(devices: Devices, program: Callable[..., Any], *args: Any) -> Any:
    """Let each device call one of these with the data sets that it has; a program."""
    return devices.each(program, (True,) * len(args), True)(*args)


def _key(words: UInt32[Array, " 2"], number: Int[Array, ""]) -> Array:
    return jax.random.fold_in(seed.key(words), number)
