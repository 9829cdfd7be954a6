"""Rows of arrays, and of memory maps."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taut.errors import ArgumentError, RowsError
from taut.rows import ArrayRows, Column


def lengths(source: ArrayRows) -> list[int]:
    """Rows of each block."""
    return [len(next(iter(block.values()))) for block in source.blocks(None)]


@settings(deadline=None, derandomize=True)
@given(rows=st.integers(1, 60), block_rows=st.integers(1, 70), seed=st.none() | st.integers(0, 9))
def test_an_epoch_has_every_row_once(rows: int, block_rows: int, seed: int | None) -> None:
    source = ArrayRows({"y": np.arange(rows)}, block_rows=block_rows)
    random = None if seed is None else np.random.default_rng(seed)
    blocks = [block["y"] for block in source.blocks(random)]
    assert all(np.all(np.diff(block) == 1) for block in blocks)
    given = np.concatenate(blocks)
    np.testing.assert_array_equal(given if seed is None else np.sort(given), np.arange(rows))


def test_blocks_come_in_a_random_order() -> None:
    source = ArrayRows({"y": np.arange(100)}, block_rows=10)
    orders = [
        [int(block["y"][0]) for block in source.blocks(np.random.default_rng(seed))]
        for seed in (1, 1, 2)
    ]
    assert orders[0] == orders[1] != orders[2]


def test_arrays_are_described_before_they_are_read() -> None:
    source = ArrayRows({"X": np.zeros((7, 2, 3), np.float32), "y": np.zeros(7, bool)})
    assert source.rows == 7
    assert source.columns == {
        "X": Column((2, 3), np.dtype("float32")),
        "y": Column((), np.dtype(bool)),
    }


def test_a_block_has_about_8_mb() -> None:
    source = ArrayRows({"X": np.broadcast_to(np.float32(1), (10_000, 1024))})
    assert lengths(source) == 4 * [2048] + [10_000 - 4 * 2048]


def test_a_block_of_narrow_rows_has_fewer_bytes() -> None:
    source = ArrayRows({"y": np.broadcast_to(np.int8(1), 600_000)})
    assert lengths(source) == 2 * [262_144] + [600_000 - 2 * 262_144]


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_a_memory_map_is_read(tmp_path: Path, mode: Any) -> None:
    np.save(tmp_path / "y.npy", np.arange(1000.0))
    array = np.load(tmp_path / "y.npy", mmap_mode=mode)
    if mode == "c":
        # A change that is in memory only, and must outlive the reading.
        array[3] = -1
    source = ArrayRows({"y": array[2:]}, block_rows=100)
    for _ in range(2):
        given = np.concatenate([block["y"] for block in source.blocks(None)])
        np.testing.assert_array_equal(given, array[2:])
    assert array[3] == (-1 if mode == "c" else 3)


def resident(path: Path) -> int:
    """Kilobytes of a file that are in this process's memory."""
    lines = iter(Path("/proc/self/smaps").read_text().splitlines())
    return sum(
        int(next(line for line in lines if line.startswith("Rss:")).split()[1])
        for line in lines
        if line.endswith(str(path))
    )


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="Linux tells of each file")
def test_a_memory_map_does_not_stay_in_memory(tmp_path: Path) -> None:
    np.save(tmp_path / "y.npy", np.ones(2_000_000))
    array = np.load(tmp_path / "y.npy", mmap_mode="r")
    source = ArrayRows({"y": array}, block_rows=50_000)
    assert max(resident(tmp_path / "y.npy") for _ in source.blocks(None)) < 8_000
    assert array.sum() == 2_000_000
    assert resident(tmp_path / "y.npy") > 15_000


@pytest.mark.parametrize("shape", [(20,), (20, 3)])
def test_nan_is_refused_with_its_row(shape: tuple[int, ...]) -> None:
    array = np.zeros(shape)
    array[13], array[15] = np.nan, np.nan
    source = ArrayRows({"y": array}, block_rows=6)
    with pytest.raises(RowsError, match=r"'y' has NaN in row 13 \(in 2 rows of the 6 from row 12"):
        list(source.blocks(None))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": np.zeros((3, 2)), "y": np.zeros(4)}, "'X' has 3, 'y' has 4"),
        ({"y": np.zeros(0)}, "no rows in 'y'"),
        ({"y": np.float64(3)}, "'y' has no axis"),
        ({"y": np.array(["a", "b"])}, "'y' holds <U1; .* return_inverse"),
        ({"y": np.array([object()])}, "'y' holds object"),
        ({"y": np.zeros(2, "datetime64[s]")}, r"'y' holds datetime64\[s\]"),
        ({"y": np.zeros(2, complex)}, "'y' holds complex128"),
        ({"y": pd.array([1, None], dtype="Int64")}, "'y' holds objects"),
    ],
)
def test_what_are_no_rows_of_numbers_is_refused(arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(RowsError, match=message):
        ArrayRows(arrays)


def test_a_mask_is_refused() -> None:
    source = ArrayRows({"y": np.ma.masked_equal([1, 2, 3], 2)})
    with pytest.raises(RowsError, match="'y' is a masked one"):
        list(source.blocks(None))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "and at least one; got {}"),
        (np.zeros(3), "Expected a dict of names and arrays"),
        ({"": np.zeros(3)}, "a string that is not empty, got ''"),
        ({3: np.zeros(3)}, "got 3"),
        ({"y": [1, 2]}, "'y' must be an array, got list; numpy.asarray"),
    ],
)
def test_what_are_no_arrays_is_refused(arrays: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        ArrayRows(arrays)


@pytest.mark.parametrize("block_rows", [0, -3])
def test_a_block_has_a_row(block_rows: int) -> None:
    with pytest.raises(
        ArgumentError, match=f"block_rows must be a positive integer, got {block_rows}"
    ):
        ArrayRows({"y": np.zeros(3)}, block_rows=block_rows)
