"""Seeds: from whatever a user gives to words that JAX makes keys of."""

from typing import Any

import jax
import numpy as np
from jaxtyping import Array, PRNGKeyArray, UInt32

from taut.errors import ArgumentError

# Streams of one seed, so that steps and draws never share a number.
STEPS, DRAWS, START, NODES, ROWS, RESAMPLES, DATASETS = range(7)


def entropy(random_seed: Any) -> int:
    """Reduce a seed to one integer; `None` takes fresh entropy from the system.

    Parameters
    ----------
    random_seed
        `None`, an integer, a sequence of integers, a `numpy.random.SeedSequence`, or a
        `Generator` or `RandomState`, from which one number is drawn.

    Raises
    ------
    ArgumentError
        It is none of these.
    """
    if isinstance(random_seed, np.random.Generator):
        return int(random_seed.integers(2**63))
    if isinstance(random_seed, np.random.RandomState):
        return int(random_seed.randint(2**31 - 1))
    if isinstance(random_seed, np.random.SeedSequence):
        return int(random_seed.generate_state(1, np.uint64)[0])
    try:
        sequence = np.random.SeedSequence(random_seed)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            "random_seed must be an integer from 0 on, several of them, a NumPy generator or None, "
            f"got {random_seed!r}."
        ) from error
    return int(sequence.generate_state(1, np.uint64)[0])


def key_words(seed: int, *path: int) -> UInt32[np.ndarray, " 2"]:
    """Derive the key words of one stream of a seed."""
    return np.random.SeedSequence([seed, *path]).generate_state(2, np.uint32)


def key(words: UInt32[Array, " 2"]) -> PRNGKeyArray:
    """Make a JAX key of key words, inside a program."""
    return jax.random.wrap_key_data(words, impl="threefry2x32")
