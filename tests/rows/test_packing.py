"""Batches on the host: every row once an epoch, in batches as the partition says."""

import gc
import itertools
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taut.errors import ArgumentError, RowsError
from taut.rows import AbstractRows, ArrayRows, Column, IterableRows, Packed, Partition
from taut.rows.casting import cast
from taut.rows.packing import Block

INT = np.dtype("int64")
laws = settings(max_examples=60, deadline=None, derandomize=True)


def source(rows: int, block_rows: int | None = None) -> ArrayRows:
    """Rows that carry their number, twice."""
    number = np.arange(rows)
    return ArrayRows({"X": np.stack([number, -number], axis=1), "y": number}, block_rows=block_rows)


def packed(rows: AbstractRows, batch_size: int, **options: Any) -> Packed:
    """Packed numbers, with what a test does not care about filled in."""
    options = {"batches": 2, "shuffle": True, "seed": 0, **options}
    dtypes = options.pop("dtypes", dict.fromkeys(rows.columns, INT))
    return Packed(rows, Partition.of(rows.rows, batch_size), dtypes, **options)


def first_batches(blocks: Packed, count: int) -> list[dict[str, np.ndarray]]:
    """The first batches, without padding; the thread is ended."""
    found: list[dict[str, np.ndarray]] = []
    while len(found) < count:
        found += batches_of(next(blocks))
    blocks.close()
    return found[:count]


def batches_of(block: Block) -> list[dict[str, np.ndarray]]:
    """The batches of a block; what is padding repeats the row before."""
    count, found = len(block.is_short), []
    for i, short in enumerate(block.is_short):
        batch = {name: np.split(array, count)[i] for name, array in block.arrays.items()}
        if short:
            assert all(np.array_equal(array[-1], array[-2]) for array in batch.values())
        found.append({name: array[:-1] if short else array for name, array in batch.items()})
    return found


@final
class Shorter(AbstractRows):
    """Rows that yield others than they say."""

    rows = 10
    columns: Mapping[str, Column] = {"y": Column((), INT)}

    def blocks(self, random: np.random.Generator | None) -> Iterator[dict[str, np.ndarray]]:
        yield {"y": np.arange(7)}


sizes = {
    "rows": st.integers(1, 60),
    "batch_size": st.integers(1, 70),
    "block_rows": st.integers(1, 70),
    "batches": st.integers(1, 9),
    "buffer_rows": st.none() | st.integers(1, 70),
    "shuffle": st.booleans(),
}


@laws
@given(**sizes)
def test_each_epoch_has_every_row_once_in_batches_as_the_partition_says(
    rows: int,
    batch_size: int,
    block_rows: int,
    batches: int,
    buffer_rows: int | None,
    shuffle: bool,
) -> None:
    blocks = packed(
        source(rows, block_rows),
        batch_size,
        batches=batches,
        buffer_rows=buffer_rows,
        shuffle=shuffle,
    )
    partition = Partition.of(rows, batch_size)
    found = first_batches(blocks, 3 * partition.batches)
    for i, batch in enumerate(found):
        assert len(batch["y"]) == partition.size(i % partition.batches)
        np.testing.assert_array_equal(batch["X"], np.stack([batch["y"], -batch["y"]], axis=1))
    for epoch in itertools.batched(found, partition.batches):
        numbers = np.concatenate([batch["y"] for batch in epoch])
        np.testing.assert_array_equal(np.sort(numbers) if shuffle else numbers, np.arange(rows))


def numbers(seed: int, buffer_rows: int | None, epochs: int = 2) -> np.ndarray:
    """The order of 50 rows in so many epochs."""
    blocks = packed(source(50, 8), 10, seed=seed, buffer_rows=buffer_rows)
    found = first_batches(blocks, 5 * epochs)
    return np.concatenate([batch["y"] for batch in found]).reshape(epochs, 50)


@laws
@given(seed=st.integers(0, 2**63), buffer_rows=st.none() | st.integers(1, 50))
def test_a_seed_decides_the_batches(seed: int, buffer_rows: int | None) -> None:
    np.testing.assert_array_equal(numbers(seed, buffer_rows), numbers(seed, buffer_rows))
    assert not np.array_equal(numbers(seed, buffer_rows), numbers(seed + 1, buffer_rows))


def test_each_epoch_has_an_order_of_its_own() -> None:
    first, second, third = numbers(0, 20, epochs=3)
    assert not np.array_equal(first, second)
    assert not np.array_equal(second, third)


def test_batches_do_not_depend_on_who_waits_for_whom() -> None:
    def slowly() -> Iterator[dict[str, np.ndarray]]:
        for first in range(0, 50, 8):
            time.sleep(0.002)
            yield {"y": np.arange(first, min(first + 8, 50))}

    def at_once() -> Iterator[dict[str, np.ndarray]]:
        return (block for block in list(slowly()))

    slow, fast = (
        first_batches(packed(IterableRows(blocks, rows=50), 7, buffer_rows=11), 20)
        for blocks in (slowly, at_once)
    )
    for one, other in zip(slow, fast, strict=True):
        np.testing.assert_array_equal(one["y"], other["y"])


def test_rows_that_fit_the_buffer_come_in_any_order_equally_often() -> None:
    """Chi-squared with 5 degrees of freedom: beyond 35 once in a million."""
    blocks = packed(source(3, block_rows=2), 3, batches=100)
    found = first_batches(blocks, 3000)
    orders = np.array([batch["y"] @ [9, 3, 1] for batch in found])
    _, counts = np.unique(orders, return_counts=True)
    assert len(counts) == 6
    assert np.sum((counts - 500) ** 2 / 500) < 35


def test_a_buffer_mixes_the_rows_of_several_blocks() -> None:
    """In a batch of 100 rows of 50 blocks of 20; a buffer of 200 rows holds 10 blocks or more."""
    found = first_batches(packed(source(1000, 20), 100, buffer_rows=200), 10)
    assert min(len(np.unique(batch["y"] // 20)) for batch in found) >= 8


def test_a_block_is_cast_to_the_types_that_are_wanted() -> None:
    dtypes = {"y": np.dtype("float32"), "X": np.dtype("int32")}
    blocks = packed(source(6), 3, shuffle=False, dtypes=dtypes)
    assert {name: array.dtype for name, array in next(blocks).arrays.items()} == dtypes
    blocks.close()


def test_arrays_that_are_not_wanted_are_left_out() -> None:
    blocks = packed(source(6), 3, dtypes={"y": INT})
    assert list(next(blocks).arrays) == ["y"]
    blocks.close()


def test_a_block_is_not_written_again() -> None:
    blocks = packed(source(20), 2, shuffle=False)
    block = next(blocks)
    before = block.arrays["y"].copy()
    for _ in range(20):
        next(blocks)
    np.testing.assert_array_equal(block.arrays["y"], before)
    blocks.close()


# Failures


def failing_after(count: int) -> Iterator[dict[str, np.ndarray]]:
    """Rows up to a failure."""
    yield {"y": np.arange(count)}
    raise OSError("the disk is gone")


def test_a_failure_in_the_thread_is_raised_where_batches_are_taken_again_and_again() -> None:
    blocks = packed(IterableRows(lambda: failing_after(8), rows=20), 4, shuffle=False, batches=2)
    assert next(blocks).ready == 2
    for _ in range(3):
        with pytest.raises(RowsError, match=r"raised OSError.*the disk is gone") as raised:
            next(blocks)
        assert isinstance(raised.value.__cause__, OSError)
    blocks.close()
    with pytest.raises(RowsError, match="the disk is gone"):
        next(blocks)


def test_batches_before_a_failure_are_still_given() -> None:
    """Of five batches there are two, and half of one."""
    blocks = packed(IterableRows(lambda: failing_after(7), rows=21), 3, shuffle=False, batches=5)
    block = next(blocks)
    assert block.ready == 2
    assert block.arrays["y"].tolist() == [0, 1, 2, 3, 4, 5] + 3 * [3, 4, 5]
    with pytest.raises(RowsError, match="the disk is gone"):
        next(blocks)


def test_an_iterator_serves_its_epoch_to_the_end() -> None:
    rows = IterableRows(iter([{"y": np.arange(7)}]), rows=7)
    blocks = packed(rows, 3, shuffle=False, batches=5)
    block = next(blocks)
    assert (block.ready, block.is_short.tolist()) == (3, [False, True, True, True, True])
    assert [batch["y"].tolist() for batch in batches_of(block)[:3]] == [[0, 1, 2], [3, 4], [5, 6]]
    with pytest.raises(RowsError, match="serves one epoch"):
        next(blocks)


def test_an_exit_in_the_thread_does_not_leave_anyone_waiting() -> None:
    def blocks() -> Iterator[dict[str, np.ndarray]]:
        yield {"y": np.arange(3)}
        raise SystemExit(3)

    taken = packed(IterableRows(blocks, rows=6), 3, batches=1, shuffle=False)
    next(taken)
    with pytest.raises(SystemExit):
        next(taken)


def test_a_failure_ends_the_thread() -> None:
    gc.collect()
    before = reading()
    blocks = packed(Shorter(), 10, batches=1)
    with pytest.raises(RowsError):
        next(blocks)
    assert reading() == before


def test_a_source_with_other_rows_than_it_says_is_refused() -> None:
    blocks = packed(Shorter(), 10, batches=1)
    with pytest.raises(RowsError, match="epoch has 10 rows, but Shorter gave 7"):
        next(blocks)


def test_a_partition_of_other_rows_is_refused() -> None:
    with pytest.raises(RowsError, match="'the source' has 6, 'the partition' has 7"):
        Packed(source(6), Partition.of(7, 3), {"y": INT}, batches=1, shuffle=True, seed=0)


def test_arrays_the_source_has_not_are_refused() -> None:
    with pytest.raises(ArgumentError, match="arrays 'z'; the rows have 'X', 'y'"):
        packed(source(6), 3, dtypes={"z": INT})


@pytest.mark.parametrize("name", ["batches", "buffer_rows"])
def test_a_number_that_is_not_positive_is_refused(name: str) -> None:
    with pytest.raises(ArgumentError, match=f"{name} must be 1 or more, got 0"):
        packed(source(6), 3, **{name: 0})


# The thread


def reading() -> int:
    """Threads of grain that are running."""
    return sum(thread.name.startswith("grain") for thread in threading.enumerate())


def test_closing_ends_the_thread_and_may_be_done_twice() -> None:
    before = reading()
    blocks = packed(source(1000), 3)
    next(blocks)
    assert reading() == before + 1
    blocks.close()
    blocks.close()
    assert reading() == before
    with pytest.raises(RowsError, match="closed"):
        next(blocks)


def test_the_thread_ends_with_what_it_reads_for() -> None:
    gc.collect()
    before = reading()
    blocks = packed(source(1000), 3)
    next(blocks)
    assert reading() == before + 1
    del blocks
    gc.collect()
    assert reading() == before


def test_closing_closes_the_source() -> None:
    closed = threading.Event()

    def blocks() -> Iterator[dict[str, np.ndarray]]:
        try:
            for _ in range(100):
                yield {"y": np.arange(1000)}
        finally:
            closed.set()

    taken = packed(IterableRows(blocks, rows=100_000), 10, shuffle=False)
    next(taken)
    closed.clear()
    taken.close()
    gc.collect()
    assert closed.is_set()


def test_reading_begins_before_the_first_batch_is_taken() -> None:
    begun = threading.Event()

    def blocks() -> Iterator[dict[str, np.ndarray]]:
        begun.set()
        yield {"y": np.arange(10)}

    rows = IterableRows(blocks, rows=10)
    begun.clear()
    taken = packed(rows, 10)
    assert begun.wait(10)
    taken.close()


def test_no_more_is_read_ahead_than_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of blocks with 8 kB a queue of 32 kB holds 4; one more is packed, another is taken."""
    monkeypatch.setattr("taut.rows.packing._AHEAD_BYTES", 32 * 1024)
    read = []

    def blocks() -> Iterator[dict[str, np.ndarray]]:
        for i in range(100):
            read.append(i)
            yield {"y": np.arange(1024)}

    taken = packed(IterableRows(blocks, rows=102_400), 1024, batches=1, shuffle=False)
    read.clear()
    next(taken)
    time.sleep(0.2)
    assert len(read) <= 6
    taken.close()


def test_without_grain_the_message_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "grain", None)
    monkeypatch.delitem(sys.modules, "grain.experimental", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r'Reading ahead needs grain.*"taut\[data\]"'):
        packed(source(6), 3)


# Types


@pytest.mark.parametrize(
    ("array", "dtype", "value"),
    [
        (np.array([1.0, 2.5]), "int32", "2.5"),
        (np.array([1, 2**40]), "int32", str(2**40)),
        (np.array([-1, 1]), "uint8", "-1"),
        (np.array([2**64 - 1], np.uint64), "int64", str(2**64 - 1)),
        (np.array([1, 2]), "bool", "2"),
        (np.array([1.0, 1e300]), "float32", "1e\\+300"),
        (np.array([np.inf]), "int64", "inf"),
    ],
)
def test_a_value_the_wanted_type_has_not_is_refused(
    array: np.ndarray, dtype: str, value: str
) -> None:
    with pytest.raises(RowsError, match=f"'y' holds {value}, which .* {array.dtype} to {dtype}"):
        cast("y", array, np.dtype(dtype))


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (np.array([1.0, 2.0]), "int32"),
        (np.array([0, 1]), "bool"),
        (np.array([True, False]), "int8"),
        (np.array([0.1, np.inf, 1e-300]), "float32"),
        (np.array([1, 2**40]), "float64"),
        (np.array([[1, 2]], np.int64), "int32"),
    ],
)
def test_a_cast_is_numpys(array: np.ndarray, dtype: str) -> None:
    result = cast("y", array, np.dtype(dtype))
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, array.astype(dtype))
