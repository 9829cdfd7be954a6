"""Rows that an iterable gives."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taut.errors import ArgumentError, RowsError
from taut.rows import Column, IterableRows

BLOCKS = [{"y": np.arange(4)}, {"y": np.arange(4, 6)}, {"y": np.arange(6, 9)}]


class Again:
    """Iterates anew each time."""

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        return iter(BLOCKS)


def joined(source: IterableRows) -> list[int]:
    """The rows of an epoch."""
    return np.concatenate([block["y"] for block in source.blocks(None)]).tolist()


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 9), min_size=1).filter(any))
def test_an_epoch_has_the_rows_in_their_order(sizes: list[int]) -> None:
    rows = sum(sizes)
    blocks = np.split(np.arange(rows), np.cumsum(sizes)[:-1])
    source = IterableRows([{"y": block} for block in blocks], rows=rows)
    assert joined(source) == list(range(rows))


@pytest.mark.parametrize(
    "blocks",
    [BLOCKS, tuple(BLOCKS), Again(), Again, lambda: iter(BLOCKS)],
    ids=["list", "tuple", "object", "class", "function"],
)
def test_an_iterable_is_gone_through_once_an_epoch(blocks: Any) -> None:
    source = IterableRows(blocks, rows=9)
    for _ in range(3):
        assert joined(source) == list(range(9))


def test_blocks_keep_their_order_in_a_random_epoch() -> None:
    source = IterableRows(BLOCKS, rows=9)
    blocks = source.blocks(np.random.default_rng(0))
    assert [block["y"][0] for block in blocks] == [0, 4, 6]


def test_an_iterator_serves_one_epoch_with_its_first_block() -> None:
    source = IterableRows(iter(BLOCKS), rows=9)
    assert joined(source) == list(range(9))
    with pytest.raises(RowsError, match=r"serves one epoch of 9 rows, and epoch 2 .* a function"):
        joined(source)


def test_arrays_are_described_by_the_first_block() -> None:
    block = {"X": np.zeros((2, 3), np.float32), "y": [True, False]}
    source = IterableRows([block], rows=2)
    assert source.rows == 2
    assert source.columns == {
        "X": Column((3,), np.dtype("float32")),
        "y": Column((), np.dtype(bool)),
    }


def test_only_the_first_block_is_read_at_first() -> None:
    read = []

    def blocks() -> Iterator[dict[str, np.ndarray]]:
        for block in BLOCKS:
            read.append(block)
            yield block

    IterableRows(blocks, rows=9)
    assert len(read) == 1


def test_later_blocks_may_have_more_arrays_and_other_precision() -> None:
    blocks = [{"y": np.zeros(2)}, {"y": np.zeros(3, np.float32), "z": np.zeros(3)}]
    assert [list(block) for block in IterableRows(blocks, rows=5).blocks(None)] == [["y"], ["y"]]


def test_an_end_too_early_is_refused() -> None:
    with pytest.raises(RowsError, match=r"10 rows were declared.*after block 2 with 9"):
        joined(IterableRows(BLOCKS, rows=10))


def test_rows_beyond_those_declared_are_refused() -> None:
    with pytest.raises(RowsError, match=r"8 rows were declared, but with block 2 .* given 9"):
        joined(IterableRows(BLOCKS, rows=8))


def test_a_function_that_gives_the_same_iterator_again_is_told_apart() -> None:
    blocks = iter(2 * BLOCKS[:1] + BLOCKS)
    source = IterableRows(lambda: blocks, rows=13)
    assert len(joined(source)) == 13
    with pytest.raises(RowsError, match=r"13 rows were declared.* with 0.*new iterator at each"):
        joined(source)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (
            {"X": np.zeros((2, 3))},
            "Block 1 of the iterable has no 'y'; the first block had 'X', 'y'",
        ),
        ({"X": np.zeros((2, 3)), "y": np.zeros(3)}, "in block 1 of the iterable 'X' has 2, 'y'"),
        ({"X": np.zeros((2, 4)), "y": np.zeros(2)}, r"Block 1 .* 'X' with rows of shape \(4,\)"),
        ({"X": np.zeros((2, 3)), "y": np.arange(2)}, "Block 1 .* 'y' .* int64; in the first"),
        ({"X": np.zeros((2, 3)), "y": np.array(["a", "b"])}, "Block 1 .* 'y' .* type <U1"),
        ({"X": np.zeros((2, 3)), "y": 3.0}, "Block 1 of the iterable has a scalar"),
        ({"X": np.zeros((2, 3)), "y": [0, np.nan]}, "'y' has NaN in row 3 "),
        ((np.zeros((2, 3)), np.zeros(2)), "Block 1 of the iterable: Expected a dict"),
        ({}, "Block 1 of the iterable: Expected a dict"),
    ],
)
def test_a_block_unlike_the_first_is_refused(block: Any, message: str) -> None:
    first = {"X": np.zeros((2, 3)), "y": np.zeros(2)}
    with pytest.raises(RowsError, match=message):
        list(IterableRows([first, block], rows=4).blocks(None))


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ({"y": np.array(["a"])}, "'y' holds <U1"),
        ({"X": np.zeros((2, 3)), "y": np.zeros(3)}, "in block 0 of the iterable 'X' has 2"),
        (np.zeros(3), "Block 0 of the iterable: Expected a dict of names and arrays"),
        ({"y": np.ma.masked_equal([1, 2], 2)}, "'y' is a masked one"),
    ],
)
def test_a_first_block_that_is_none_is_refused_at_once(first: Any, message: str) -> None:
    with pytest.raises(RowsError, match=message):
        IterableRows([first], rows=2)


def test_an_iterable_without_blocks_is_refused() -> None:
    with pytest.raises(RowsError, match="gave no block, but 3 rows were declared"):
        IterableRows([], rows=3)


def test_what_the_iterable_raises_is_the_cause() -> None:
    def blocks() -> Iterator[dict[str, np.ndarray]]:
        yield BLOCKS[0]
        raise KeyError("fare")

    with pytest.raises(RowsError, match="raised KeyError instead of block 1: 'fare'") as raised:
        joined(IterableRows(blocks, rows=9))
    assert isinstance(raised.value.__cause__, KeyError)


def test_a_function_that_fails_is_blamed() -> None:
    with pytest.raises(RowsError, match="raised ZeroDivisionError instead of a first block"):
        IterableRows(lambda: 1 // 0, rows=9)


@pytest.mark.parametrize("blocks", [3, None, lambda: 3])
def test_what_is_no_iterable_is_refused(blocks: Any) -> None:
    with pytest.raises(ArgumentError, match="Expected an iterable of dicts of arrays"):
        IterableRows(blocks, rows=3)


@pytest.mark.parametrize("rows", [0, -1, 2.5, None, True])
def test_rows_that_are_no_number_are_refused(rows: Any) -> None:
    with pytest.raises(ArgumentError, match="rows must be a positive integer, got"):
        IterableRows(BLOCKS, rows=rows)
