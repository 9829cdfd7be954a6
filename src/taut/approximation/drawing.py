"""The programs that read an approximation: its moments, its draws, expressions at its draws."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from taut.approximation.noise import noise_of, words_of
from taut.arrays import AnyArray
from taut.descent import AbstractStepper
from taut.engine import bytes_left, check_memory, map_in_turn, single_threaded
from taut.family import AbstractFamily, HostPoints
from taut.gaussian import as_normal
from taut.target import Target

# Draws made by one call of a program, which so serves every number of them.
_BLOCK = 250
# Numbers of draws that one call makes at most.
_NUMBERS = 10_000_000
# Values for each row and draw that one call may make.
_ROW_VALUES = 20_000_000
# Bytes of draws for which it is not asked how many are left.
_LITTLE = 2**28


def sampled(
    target: Target, family: AbstractFamily, draws: int | np.ndarray, key_words: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Make draws in the unconstrained space, with their density.

    Parameters
    ----------
    target
        Keeps the compiled programs.
    family
        What is drawn from.
    draws
        How many, or the numbers of those wanted.
    key_words
        Of the stream the draws come from.
    """
    push, noise_at = push_on_host(family), noise_of(target, family, key_words)

    def make(numbers: np.ndarray) -> PyTree:
        noise = noise_at(numbers)
        return target.programs(sample_block, family, noise) if push is None else push(noise)

    with single_threaded(target.largest_matrix):
        return by_blocks(make, _numbers(draws), _block_of(target))


def _numbers(draws: int | np.ndarray) -> np.ndarray:
    return draws if isinstance(draws, np.ndarray) else np.arange(draws)


def _block_of(target: Target) -> int:
    """Choose draws for one call, so that the numbers of a few fit in memory beside all."""
    return max(1, min(_BLOCK, _NUMBERS // target.dim))


def by_blocks(evaluate: Callable[[np.ndarray], PyTree], rows: np.ndarray, block: int) -> Any:
    """Evaluate rows a block at a time; the last is filled up, so that one program serves all.

    Raises
    ------
    TooLargeError
        The first block says that there is no memory for all.
    """
    whole: Any = None
    for first in range(0, len(rows), block):
        some = rows[first : first + block]
        full = np.resize(some, (block, *rows.shape[1:]))
        found = jax.tree.map(np.asarray, evaluate(full))
        if whole is None:
            _check_memory(found, block, len(rows))
            whole = jax.tree.map(
                lambda one: np.empty((len(rows), *one.shape[1:]), one.dtype), found
            )
        jax.tree.map(partial(_fill, slice(first, first + len(some))), whole, found)
    return whole


def _fill(place: slice, whole: np.ndarray, block: np.ndarray) -> None:
    whole[place] = block[: place.stop - place.start]


def _check_memory(found: PyTree, block: int, rows: int) -> None:
    """Refuse so many draws that they can not be held, in both spaces."""
    each = sum(leaf.nbytes for leaf in jax.tree.leaves(found)) / block
    needed = 2.0 * each * rows
    if needed > _LITTLE:
        fitting = int((bytes_left() or 0) / (2.0 * each))
        check_memory(
            needed, f"{rows:,} draws of {each / 1e6:,.3g} MB each take, while they are made,",
            f"{fitting:,} draws would fit, or those of the variables that you need: "
            'approx.sample(draws, var_names=["name"]).',
        )  # fmt: skip


def all_of(
    target: Target, family: AbstractFamily, draws: int | np.ndarray, key_words: np.ndarray,
    names: tuple[str, ...] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Make draws in both spaces, with their density under q as ``log_q``.

    Parameters
    ----------
    target, family, draws, key_words
        As above.
    names
        Of the variables that are kept; by default all.
    """
    z, log_q = sampled(target, family, draws, key_words)
    unconstrained = target.space.unravel(z)
    block = _block_of(target)
    # What is not transformed is the same in both spaces, and held once.
    known = {k: v for k, v in unconstrained.items() if names is None or k in names}

    def constrained_block(block: np.ndarray) -> Mapping[str, PyTree]:
        found = target.programs(constrain_block, target, block)
        return {k: v for k, v in found.items() if k not in known and (names is None or k in names)}

    with single_threaded(target.largest_matrix):
        constrained = by_blocks(constrained_block, z, block)
    order = target.programs.shapes(constrain_block, target, np.empty((block, target.dim), z.dtype))
    both = known | constrained
    constrained = {name: both[name] for name in order if name in both}
    return {"z": z, "unconstrained": unconstrained, "constrained": constrained, "log_q": log_q}


def block_for(data: PyTree) -> int:
    """Choose draws for one call, so that values for each row of data and draw fit in memory."""
    rows = max((leaf.shape[0] for leaf in jax.tree.leaves(data) if leaf.ndim), default=1)
    return max(1, min(_BLOCK, _ROW_VALUES // rows))


def push_on_host(family: AbstractFamily) -> Callable[[Any], tuple[np.ndarray, np.ndarray]] | None:
    """Return NumPy's way from noise to draws with their density, if the family is drawn so."""
    if not family.drawn_on_host:
        return None
    host = family.on_host()
    if isinstance(host, HostPoints):
        return host.push
    normal = as_normal(family)
    return None if normal is None else normal.push


def constrain_block(target: Target, z: Array) -> dict[str, PyTree]:
    """Evaluate constrained variables at the rows of a matrix; a program for `Programs`."""
    return map_in_turn(target.constrain, z, target.rows_of(target.whole))


def sample_block(family: AbstractFamily, noise: PyTree) -> tuple[Array, Array]:
    """Make a block of draws with their density."""
    return jax.vmap(family.push)(noise)


def evaluated(
    target: Target,
    family: AbstractFamily,
    draws: int,
    key_words: np.ndarray,
    expression: Any,
    data: PyTree,
) -> Any:
    """Evaluate expressions at draws; with noise of their own, fresh for each draw, if they have it.

    Parameters
    ----------
    target, family, draws, key_words
        As in `sampled`.
    expression
        ``expression(z, data, words)``, which has as many `generators` as it needs words of.
    data
        What it reads.
    """
    noise_at = noise_of(target, family, key_words)
    words_at = words_of(key_words, len(expression.generators))

    def make(numbers: np.ndarray) -> PyTree:
        both = noise_at(numbers), words_at(numbers)
        return target.programs(evaluate_block, family, *both, expression, data)

    with single_threaded(target.largest_matrix):
        return by_blocks(make, np.arange(draws), block_for(data))


def evaluate_block(
    family: AbstractFamily, noise: PyTree, own: Array, expression: Any, data: PyTree
) -> PyTree:
    """Evaluate expressions at a block of draws."""
    return evaluate_at(expression, sample_block(family, noise)[0], own, data)


def evaluate_at(expression: Any, z: Array, own: Array, data: PyTree) -> PyTree:
    """Evaluate expressions at the rows of a matrix, with the key words of each for their noise."""
    rows = max((leaf.shape[0] for leaf in jax.tree.leaves(data) if leaf.ndim), default=1)
    if not own.size:
        return map_in_turn(lambda one: expression(one, data, own[0]), z, rows)
    return map_in_turn(lambda both: expression(both[0], data, both[1]), (z, own), rows)


def read_along(
    names: tuple[str, ...], stepper: AbstractStepper, states: PyTree, count: AnyArray
) -> dict[str, AnyArray]:
    """Evaluate the same of the first `count` of many states, one after another."""

    def one(place: AnyArray) -> dict[str, AnyArray]:
        # The barriers keep what is evaluated the same, to the last bit, as by `read_off` alone.
        state = jax.tree.map(lambda many: many[place], states)
        family = jax.lax.optimization_barrier(stepper.family(state))
        return jax.lax.optimization_barrier(read_off(names, family))

    def add(place: AnyArray, found: dict[str, AnyArray]) -> dict[str, AnyArray]:
        return jax.tree.map(lambda many, new: many.at[place].set(new), found, one(place))

    slots = jax.tree.leaves(states)[0].shape[0]
    shapes = jax.eval_shape(one, count)
    empty = jax.tree.map(lambda like: jnp.zeros((slots, *like.shape), like.dtype), shapes)
    return jax.lax.fori_loop(0, count, add, empty)


def parameters_of(family: AbstractFamily) -> Mapping[str, AnyArray]:
    """Return the parameters by name."""
    return family.parameters()


def read_off(names: tuple[str, ...], family: AbstractFamily) -> dict[str, AnyArray]:
    """Evaluate what is named: a moment, a parameter, or ``leaf_`` and a number."""
    values = {"mean": family.mean, "std": family.std, "cov": family.cov}
    leaves = {f"leaf_{i}": leaf for i, leaf in enumerate(jax.tree.leaves(family))}
    parameters = family.parameters() | leaves
    return {name: values[name]() if name in values else parameters[name] for name in names}
