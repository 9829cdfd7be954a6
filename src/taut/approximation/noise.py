"""Noise of draws that are asked for from outside of a fit."""

from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Array, PyTree

from taut import seed
from taut.family import AbstractFamily
from taut.target import Target

# Draws that share a generator.
_TOGETHER = 250


def noise_of(
    target: Target, family: AbstractFamily, key_words: np.ndarray, numbers: np.ndarray
) -> PyTree:
    """Make the noise of draws, each by its number alone.

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
    numbers
        Of the draws.
    """
    with target.precision():
        shapes = jax.eval_shape(lambda words: family.noise(seed.key(words)), key_words)
    spec = family.noise_spec()
    if spec is None:
        return target.programs(noise_block, family, key_words, numbers.astype(np.int32))
    make = lambda random: spec.make(random, _TOGETHER, shapes)  # noqa: E731
    return _by_number(numbers, key_words.tolist(), make)


def words_of(key_words: np.ndarray, numbers: np.ndarray, generators: int) -> np.ndarray:
    """Make key words of generators that an expression draws from, for each draw by its number.

    Parameters
    ----------
    key_words, numbers
        As in `noise_of`, whose noise these do not share.
    generators
        How many.
    """
    stream = seed.key_words(*(int(word) for word in key_words), seed.NODES).tolist()
    shape = _TOGETHER, generators, 2
    return _by_number(
        numbers, stream, lambda random: random.integers(2**32, size=shape, dtype=np.uint32)
    )


def _by_number(
    numbers: np.ndarray, stream: list[int], make: Callable[[np.random.Generator], PyTree]
) -> PyTree:
    """Make all that share a generator with one that is wanted, and pick those that are."""
    blocks, which = np.unique(numbers // _TOGETHER, return_inverse=True)
    made = [make(np.random.default_rng([*stream, int(block)])) for block in blocks]
    return jax.tree.map(lambda *each: np.stack(each)[which, numbers % _TOGETHER], *made)


def noise_block(family: AbstractFamily, key_words: Array, numbers: Array) -> PyTree:
    """Make noise on the device; a program for `Programs`."""
    key = seed.key(key_words)
    return jax.vmap(lambda number: family.noise(jax.random.fold_in(key, number)))(numbers)
