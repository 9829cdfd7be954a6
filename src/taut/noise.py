"""Noise of draws that are asked for from outside of a fit."""

from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Array, PyTree

from taut import seed
from taut.compilation import Timing
from taut.family import AbstractFamily, AbstractLocationScale, Particles, Stretched
from taut.target import Target

# Draws that share a generator.
_TOGETHER = 250


def noise_of(
    target: Target, family: AbstractFamily, key_words: np.ndarray, numbers: np.ndarray
) -> PyTree:
    """Make the noise of draws, each by its number alone.

    Normal noise and numbers of particles are NumPy's: a program of JAX's generator takes longer
    to compile than some thousand draws take to make.

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
    shape = jax.eval_shape(lambda words: family.noise(seed.key(words)), key_words)
    if isinstance(family, AbstractLocationScale | Stretched):

        def normal(random: np.random.Generator) -> np.ndarray:
            return random.standard_normal((_TOGETHER, *shape.shape))

        return _gather(normal, key_words, numbers).astype(shape.dtype)
    if isinstance(family, Particles):
        count = len(family.histogram)
        drawn = _gather(lambda random: random.integers(count, size=_TOGETHER), key_words, numbers)
        return drawn.astype(shape.dtype)
    return target.programs(Timing(), noise_block, family, key_words, numbers.astype(np.int32))


def noise_block(family: AbstractFamily, key_words: Array, numbers: Array) -> PyTree:
    """Make noise on the device; a program for `Programs`."""
    key = seed.key(key_words)
    return jax.vmap(lambda number: family.noise(jax.random.fold_in(key, number)))(numbers)


def _gather(
    make: Callable[[np.random.Generator], np.ndarray], key_words: np.ndarray, numbers: np.ndarray
) -> np.ndarray:
    """Make all that share a generator with one that is wanted, and take those wanted."""
    blocks, which = np.unique(numbers // _TOGETHER, return_inverse=True)
    made = [make(np.random.default_rng([*key_words.tolist(), int(block)])) for block in blocks]
    return np.stack(made)[which, numbers % _TOGETHER]
