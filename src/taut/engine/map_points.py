"""One function over many draws, in the order of evaluation the machine likes best."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from taut.engine.fusion import Traced, trace

# Rows x draws whose intermediate arrays stay within a CPU's cache.
_CACHED_ELEMENTS = 400_000
# Multiplications for each row from which on it is the matrix that takes time to read, which a block
# reads once, so that larger blocks are quicker.
_WIDE = 25
# Points whose intermediate arrays take no more memory than a matrix of so many multiplications for
# each row does, and are read as quickly.
_BESIDE, _MOST_BESIDE = 8, 8
# The same for a GPU, which has no such cache: it is memory that a handful of arrays of 2 GB fills.
_DEVICE_ELEMENTS = 2**28


def map_draws(function: Callable[[PyTree], PyTree], draws: PyTree, rows: int) -> PyTree:
    """Map `function` over the first axis of `draws`.

    Parameters
    ----------
    function
        Takes one draw.
    draws
        The draws, or their noise, along the first axis of every leaf.
    rows
        Rows of data one evaluation reads, which decides how many draws go together.
    """
    count = jax.tree.leaves(draws)[0].shape[0]
    if count == 1:
        only = function(jax.tree.map(lambda leaf: leaf[0], draws))
        return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], only)
    if count <= points_at_once(rows):
        return jax.vmap(function)(draws)
    if not isinstance(function, Traced):
        function = trace(function, jax.tree.map(lambda leaf: leaf[0], draws))
    block = points_at_once(rows, function.multiplications)
    if count <= block:
        return jax.vmap(function)(draws)
    return jax.lax.map(function, draws, batch_size=block)


def map_in_turn(function: Callable[[PyTree], PyTree], draws: PyTree, rows: int) -> PyTree:
    """Map `function` as `map_draws` does, in a program that is to compile quickly.

    One draw comes after the other where XLA makes a single kernel of that.
    """
    traced = trace(function, jax.tree.map(lambda leaf: leaf[0], draws))
    return jax.lax.map(traced, draws) if traced.is_one_kernel else map_draws(traced, draws, rows)


def points_at_once(rows: int, multiplications: int = 0) -> int:
    """Choose how many points are evaluated together.

    A power of two, so that blocks of one divide evenly. On a CPU few points leave intermediate
    arrays in its cache, and many read a wide matrix less often.

    Parameters
    ----------
    rows
        That one evaluation reads.
    multiplications
        Of its matrix products.
    """
    rows = max(rows, 1)
    if jax.default_backend() != "cpu":
        return _power_of_two(_DEVICE_ELEMENTS // rows)
    each = multiplications // rows
    cached = int(_CACHED_ELEMENTS * max(1.0, each / _WIDE)) // rows
    return _power_of_two(max(cached, min(each // _BESIDE, _MOST_BESIDE)))


def _power_of_two(most: int) -> int:
    return 1 << max(0, most.bit_length() - 1)
