"""What holds for every source of batches."""

import jax
import numpy as np
import pytest

from cases import BATCHES
from taut.batches import AllRows, RandomRows, SameRows

each_source = pytest.mark.parametrize("name", BATCHES)


@each_source
def test_batches_of_all_steps_have_one_shape(name: str) -> None:
    source = BATCHES[name]()
    one, other = (jax.eval_shape(source.draw, jax.random.key(i), np.int32(5 + i)) for i in range(2))
    assert one == other


@each_source
def test_a_batch_is_decided_by_its_key_and_step(name: str) -> None:
    source = BATCHES[name]()
    steps = [(1, 5), (1, 5), (2, 6)]
    batches = [source.draw(jax.random.key(seed), np.int32(step)) for seed, step in steps]
    one, same, other = map(jax.tree.leaves, batches)
    jax.tree.map(np.testing.assert_array_equal, one, same)
    differ = any(not np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert differ == (not isinstance(source, AllRows | SameRows))


@each_source
def test_a_batch_can_be_drawn_in_a_program(name: str) -> None:
    source, key = BATCHES[name](), jax.random.key(3)
    inside = jax.jit(lambda source, key, step: source.draw(key, step))(source, key, 6)
    for one, other in zip(*map(jax.tree.leaves, (inside, source.draw(key, 6))), strict=True):
        np.testing.assert_array_equal(one, other)


def test_all_rows_leave_the_data_to_the_target() -> None:
    assert AllRows().draw(jax.random.key(0)) == ()


def rows(count: int = 10, size: int = 4) -> RandomRows:
    """Rows that carry their number, twice."""
    number = np.arange(count)
    return RandomRows(((number, np.stack([number, number], axis=1)),), (size,))


def drawn(source: RandomRows, times: int) -> np.ndarray:
    """The numbers of the rows in many batches."""
    keys = jax.random.split(jax.random.key(5), times)
    return np.asarray(jax.jit(jax.vmap(lambda key: source.draw(key)[0][0]))(keys))


def test_arrays_of_a_group_are_drawn_by_one_index() -> None:
    ((number, pair),) = rows().draw(jax.random.key(1))
    np.testing.assert_array_equal(pair[:, 0], number)
    np.testing.assert_array_equal(pair[:, 1], number)


def test_groups_are_drawn_apart() -> None:
    number = np.arange(1000)
    source = RandomRows(((number,), (number,)), (50, 50))
    (one,), (other,) = source.draw(jax.random.key(1))
    assert not np.array_equal(one, other)


def test_every_row_is_drawn_equally_often() -> None:
    """The statistic is chi-squared with 9 degrees of freedom: beyond 44 once in a million."""
    counts = np.bincount(drawn(rows(), 5000).ravel(), minlength=10)
    assert counts.sum() == 20_000
    assert np.sum((counts - 2000) ** 2 / 2000) < 44


def test_rows_are_drawn_with_replacement_as_in_pymc() -> None:
    """Of 4 rows among 10, two are the same in half of all batches."""
    batches = drawn(rows(), 5000)
    double = np.mean([len(np.unique(batch)) < 4 for batch in batches])
    assert double == pytest.approx(1 - 0.9 * 0.8 * 0.7, abs=0.04)


def test_a_batch_may_be_larger_than_all_rows() -> None:
    assert drawn(rows(count=3, size=20), 1).shape == (1, 20)


def test_all_rows_come_in_their_order() -> None:
    ((number, _),) = rows().groups
    np.testing.assert_array_equal(number, np.arange(10))
