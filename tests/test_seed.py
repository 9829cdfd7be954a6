"""Seeds: all that NumPy takes, each stream apart."""

from typing import Any

import jax
import numpy as np
import pytest

from taut import seed
from taut.errors import ArgumentError

SEEDS = [0, 1, 2**70, np.int64(3), [1, 2], (1, 2, 3), np.array([4, 5]), np.random.SeedSequence(6)]


def kind(thing: object) -> str:
    """Name the type of a parameter; what some show of themselves differs by process."""
    return type(thing).__name__


@pytest.mark.parametrize("given", SEEDS, ids=kind)
def test_a_seed_gives_the_same_number_again(given: Any) -> None:
    assert seed.entropy(given) == seed.entropy(given)
    assert 0 <= seed.entropy(given) < 2**64


def test_different_seeds_give_different_numbers() -> None:
    assert len({seed.entropy(given) for given in SEEDS}) == len(SEEDS)


def test_an_integer_of_numpy_is_an_integer() -> None:
    assert seed.entropy(np.int64(3)) == seed.entropy(3) == seed.entropy([3])


def test_no_seed_is_fresh_entropy() -> None:
    assert seed.entropy(None) != seed.entropy(None)


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState])
def test_a_generator_gives_one_number_after_another(make: Any) -> None:
    generator = make(1)
    first, second = seed.entropy(generator), seed.entropy(generator)
    assert first != second
    assert seed.entropy(make(1)) == first


@pytest.mark.parametrize(
    "bad", [-1, 1.5, np.float64(2), "abc", [1.5], [-1], {}, np.random.PCG64(1)], ids=kind
)
def test_what_is_no_seed_is_refused_by_name(bad: Any) -> None:
    with pytest.raises(ArgumentError, match="random_seed must be an integer"):
        seed.entropy(bad)


def test_streams_of_one_seed_are_apart() -> None:
    streams = [
        *((stream,) for stream in (seed.STEPS, seed.DRAWS, seed.START, seed.NODES)),
        *((seed.DRAWS, call) for call in range(1, 50)),
    ]
    assert len({tuple(seed.key_words(7, *stream)) for stream in streams}) == len(streams)


def test_words_are_those_of_their_seed_and_stream() -> None:
    words = seed.key_words(7, seed.STEPS)
    assert (words.shape, words.dtype) == ((2,), np.uint32)
    np.testing.assert_array_equal(words, seed.key_words(7, seed.STEPS))
    assert not np.array_equal(words, seed.key_words(8, seed.STEPS))


def test_words_make_the_same_key_in_a_program_and_outside() -> None:
    words = seed.key_words(7, seed.STEPS)
    outside = jax.random.normal(seed.key(words), (3,))
    inside = jax.jit(lambda words: jax.random.normal(seed.key(words), (3,)))(words)
    np.testing.assert_array_equal(inside, outside)


def test_a_key_does_not_depend_on_the_users_kind_of_keys() -> None:
    """Else the same seed would give other draws where the user prefers another generator."""
    words = seed.key_words(7, seed.STEPS)
    usual = jax.random.normal(seed.key(words), (3,))
    with jax.default_prng_impl("rbg"):
        np.testing.assert_array_equal(jax.random.normal(seed.key(words), (3,)), usual)
