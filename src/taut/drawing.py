"""The programs that read an approximation: its moments, its draws, expressions at its draws."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, PyTree

from taut import seed
from taut.compilation import Timing
from taut.draws import map_draws
from taut.family import AbstractFamily
from taut.target import Target
from taut.types import AnyArray

# Draws made by one call of a program, which so serves every number of them.
_BLOCK = 250
# Values for each row and draw that one call may make.
_ROW_VALUES = 20_000_000


def in_blocks(
    target: Target,
    draws: int | np.ndarray,
    key_words: np.ndarray,
    program: Callable[..., PyTree],
    *args: Any,
    block: int = _BLOCK,
) -> Any:
    """Call a program for as many blocks as hold the draws, and cut the last one.

    Parameters
    ----------
    target
        Keeps the compiled program.
    draws
        How many, or the numbers of those wanted.
    key_words
        Of the stream the draws come from.
    program
        ``program(*args, key_words, numbers)``, which makes the draws of these numbers.
    *args
        Its first arguments.
    block
        Draws of one call; what is drawn does not depend on it.
    """
    wanted = draws if isinstance(draws, np.ndarray) else np.arange(draws)
    blocks, count = [], len(wanted)
    with target.precision():
        for first in range(0, count, block):
            # Filled up, so that one program serves all blocks.
            numbers = np.resize(wanted[first : first + block], block).astype(np.int32)
            made = target.programs(Timing(), program, *args, key_words, numbers)
            blocks.append(jax.tree.map(np.asarray, made))
    return jax.tree.map(lambda *parts: np.concatenate(parts)[:count], *blocks)


def block_for(data: PyTree) -> int:
    """Choose draws for one call, so that values for each row of data and draw fit in memory."""
    rows = max((leaf.shape[0] for leaf in jax.tree.leaves(data) if leaf.ndim), default=1)
    return max(1, min(_BLOCK, _ROW_VALUES // rows))


def draw_block(
    family: AbstractFamily, target: Target, key_words: Array, numbers: Array
) -> Mapping[str, PyTree]:
    """Make a block of draws with their densities."""
    z, log_q = jax.vmap(family.sample_and_log_prob)(_keys(key_words, numbers))
    rows = target.rows_of(target.whole)
    return {
        "unconstrained": jax.vmap(target.space.unravel)(z),
        "constrained": map_draws(target.constrain, z, rows),
        "lp": map_draws(target.log_density, z, rows),
        "log_q": log_q,
    }


def density_block(
    family: AbstractFamily, target: Target, key_words: Array, numbers: Array
) -> tuple[Array, Array]:
    """Give log p and log q of a block of draws, those `draw_block` makes."""
    z, log_q = sample_block(family, key_words, numbers)
    return map_draws(target.log_density, z, target.rows_of(target.whole)), log_q


def sample_block(family: AbstractFamily, key_words: Array, numbers: Array) -> tuple[Array, Array]:
    """Make a block of draws with their density, those `draw_block` makes."""
    return jax.vmap(family.sample_and_log_prob)(_keys(key_words, numbers))


def evaluate_block(
    expression: Any, family: AbstractFamily, data: PyTree, key_words: Array, numbers: Array
) -> PyTree:
    """Evaluate expressions at a block of draws, those `draw_block` makes."""
    return evaluate_at(expression, jax.vmap(family.sample)(_keys(key_words, numbers)), data)


def evaluate_at(expression: Any, z: Array, data: PyTree) -> PyTree:
    """Evaluate expressions at the rows of a matrix."""
    rows = max((leaf.shape[0] for leaf in data if leaf.ndim), default=1)
    return map_draws(lambda one: expression(one, data), z, rows)


def read_off(names: tuple[str, ...], family: AbstractFamily) -> dict[str, AnyArray]:
    """Evaluate what is named: a moment, a parameter, or ``leaf_`` and a number."""
    values = {"mean": family.mean, "std": family.std, "cov": family.cov}
    leaves = {f"leaf_{i}": leaf for i, leaf in enumerate(jax.tree.leaves(family))}
    parameters = family.parameters() | leaves
    return {name: values[name]() if name in values else parameters[name] for name in names}


def _keys(key_words: Array, numbers: Array) -> Array:
    """Make the keys of a block of draws; each depends on the draw's number alone."""
    key = seed.key(key_words)
    return jax.vmap(lambda number: jax.random.fold_in(key, number))(numbers)
