"""Noise of draws that are asked for from outside of a fit."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import jax
import numpy as np
from jaxtyping import Array, PyTree

from taut import seed
from taut.family import AbstractFamily
from taut.target import Target

# Draws that share a generator, and numbers of them at most.
_TOGETHER, _NUMBERS = 250, 10_000_000


def noise_of(
    target: Target, family: AbstractFamily, key_words: np.ndarray
) -> Callable[[np.ndarray], PyTree]:
    """Return what makes the noise of draws, each by its number alone.

    Normal noise, numbers of particles and of components are NumPy's: a program of JAX's generator
    takes longer to compile than some thousand draws take to make.

    Parameters
    ----------
    target
        Keeps the program that makes other noise.
    family
        Which noise.
    key_words
        Of the stream.
    """
    with target.precision():
        shapes = jax.eval_shape(lambda words: family.noise(seed.key(words)), key_words)
    spec = family.noise_spec()
    if spec is None:
        return lambda numbers: target.programs(
            noise_block, family, key_words, numbers.astype(np.int32)
        )
    together = max(1, min(_TOGETHER, _NUMBERS // target.dim))
    stream = key_words.tolist()
    return _by_number(stream, together, lambda random: spec.make(random, together, shapes))


def words_of(key_words: np.ndarray, generators: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return what makes key words, for each draw by its number, of an expression's generators.

    Parameters
    ----------
    key_words
        As in `noise_of`, whose noise these do not share.
    generators
        How many.
    """
    stream = seed.key_words(*(int(word) for word in key_words), seed.NODES).tolist()
    shape = _TOGETHER, generators, 2
    make = lambda random: random.integers(2**32, size=shape, dtype=np.uint32)  # noqa: E731
    return _by_number(stream, _TOGETHER, make)


def _by_number(
    stream: list[int], together: int, make: Callable[[np.random.Generator], PyTree]
) -> Callable[[np.ndarray], PyTree]:
    """Make all that share a generator with one that is wanted, and pick those that are."""

    # Small blocks of draws one after another ask for the same again.
    @lru_cache(maxsize=1)
    def made(block: int) -> PyTree:
        return make(np.random.default_rng([*stream, block]))

    def pick(numbers: np.ndarray) -> PyTree:
        blocks, which = np.unique(numbers // together, return_inverse=True)
        each = [made(int(block)) for block in blocks]
        return jax.tree.map(lambda *one: _picked(one, which, numbers % together), *each)

    return pick


def _picked(each: Sequence[np.ndarray], which: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Take rows, each from its block."""
    if len(each) == 1:
        return each[0][places]
    found = np.empty((len(which), *each[0].shape[1:]), each[0].dtype)
    for number, block in enumerate(each):
        found[which == number] = block[places[which == number]]
    return found


def noise_block(family: AbstractFamily, key_words: Array, numbers: Array) -> PyTree:
    """Make noise on the device; a program for `Programs`."""
    key = seed.key(key_words)
    return jax.vmap(lambda number: family.noise(jax.random.fold_in(key, number)))(numbers)
