"""Chains in time: variables of which each element touches the one before and the one after."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from taut.structure.structure import Chain
from taut.target import Slot, Target

# How far a product with the Hessian may be from that with the chain's, by its size.
_CLOSE = 1e-6
# Steps from which on a variable may be a chain.
_STEPS = 20
# What may be in a chain: elements or their running sums; all, or those after the first, where all
# depend on that one.
_FORMS = ((False, 0), (True, 0), (True, 1), (False, 1))


def find_chain(
    target: Target,
    points: Sequence[np.ndarray],
    slots: Sequence[Slot],
    random: np.random.Generator,
    timing: Any,
) -> Chain | None:
    """Find out whether variables of one length are a chain; `None` where they are none.

    Parameters
    ----------
    target
        The density.
    points
        Where its Hessian is looked at.
    slots
        The variables.
    random
        Draws directions.
    timing
        Is charged with the seconds.
    """
    lengths = {slot.shape[0] if slot.shape else 1 for slot in slots}
    if len(lengths) != 1 or min(lengths) < _STEPS:
        return None
    [length] = lengths
    parts = [slot.start + np.arange(slot.size).reshape(length, -1) for slot in slots]
    steps, names = np.hstack(parts), tuple(slot.name for slot in slots)
    for is_summed, first in _FORMS:
        chain = Chain(names, steps[first:], is_summed)
        if all(_holds(target, chain, point, random, timing) for point in points):
            return chain
    return None


def band_products(
    target: Target,
    z: Float[Array, " dim"],
    steps: Int[Array, "steps columns"],
    is_summed: Int[Array, ""],
    direction: Float[Array, "steps columns"],
) -> tuple[Float[Array, "steps columns"], Float[Array, "steps columns"]]:
    """Multiply a direction by the Hessian, and by the chain's that it has if it is one."""

    def density(moved: Array) -> Array:
        moved = jnp.where(is_summed > 0, jnp.diff(moved, axis=0, prepend=0.0), moved)
        return target.log_density(z.at[steps].add(moved))

    at, slope = jnp.zeros_like(direction), jax.grad(density)
    product = lambda v: jax.jvp(slope, (at,), (v,))[1]  # noqa: E731
    directions = band_directions(direction.shape, direction.dtype)
    own, below = band_of(jax.vmap(product)(directions))
    claimed = (own @ direction[..., None])[..., 0]
    claimed = claimed.at[1:].add((below @ direction[:-1, :, None])[..., 0])
    claimed = claimed.at[:-1].add((jnp.swapaxes(below, 1, 2) @ direction[1:, :, None])[..., 0])
    return product(direction), claimed


def band_directions(shape: tuple[int, ...], dtype: Any) -> Float[Array, "directions steps k"]:
    """Return the directions whose products tell a block-tridiagonal matrix: every third step's."""
    steps, columns = shape
    unit = jnp.eye(3 * columns, dtype=dtype).reshape(3 * columns, 3, columns)
    return unit[:, jnp.arange(steps) % 3]


def band_of(
    products: Float[Array, "directions steps k"],
) -> tuple[Float[Array, "steps k k"], Float[Array, "rest k k"]]:
    """Read the blocks on and under the diagonal off products with `band_directions`."""
    steps, columns = products.shape[1:]
    which = jnp.arange(steps) % 3
    found = products.reshape(3, columns, steps, columns)
    pick = lambda colour, at: found[colour, :, at].swapaxes(-1, -2)  # noqa: E731
    return pick(which, jnp.arange(steps)), pick(which[:-1], jnp.arange(1, steps))


def _holds(
    target: Target, chain: Chain, z: np.ndarray, random: np.random.Generator, timing: Any
) -> bool:
    direction = random.normal(size=chain.steps.shape).astype(target.dtype)
    is_summed = np.int32(chain.is_summed)
    steps = chain.steps.astype(np.int32)
    at = z.astype(target.dtype)
    found = target.programs(band_products, target, at, steps, is_summed, direction, timing=timing)
    product, claimed = (np.asarray(part, float) for part in found)
    size = np.abs(product).max()
    return bool(np.isfinite(size) and np.abs(product - claimed).max() <= _CLOSE * size)
