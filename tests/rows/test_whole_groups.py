"""Rows of groups are counted, brought together, and cut into batches of whole groups."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zarr

from taut.errors import RowsError
from taut.rows import (
    AbstractRows,
    ArrayRows,
    Column,
    GroupShape,
    IterableRows,
    KeyCounts,
    ParquetRows,
    TogetherOnDisk,
    ZarrRows,
    group_batches,
    together,
)

RANDOM = np.random.default_rng(0)
ROWS, GROUPS = 1000, 60
KEYS = RANDOM.integers(0, GROUPS, ROWS) * 1000 - 7
X, Z = RANDOM.normal(size=ROWS), RANDOM.normal(size=(ROWS, 2))
SHUFFLED = {"g": KEYS, "x": X, "z": Z}
ORDER = np.argsort(KEYS, kind="stable")
TOGETHER = {name: array[ORDER] for name, array in SHUFFLED.items()}
TYPES = {"x": np.dtype(float), "z": np.dtype("float32")}


def parquet(folder: Path, arrays: Mapping[str, np.ndarray], files: int = 1) -> ParquetRows:
    """Rows in several files, which cut groups apart, in row groups of 100."""
    for i, rows in enumerate(np.array_split(np.arange(len(arrays["g"])), files)):
        columns = {"g": arrays["g"], "x": arrays["x"], "a": arrays["z"][:, 0]}
        columns["b"] = arrays["z"][:, 1]
        table = pa.table({name: array[rows] for name, array in columns.items()})
        pq.write_table(table, folder / f"{i}.parquet", row_group_size=100)
    return ParquetRows(folder, {"g": "g", "x": "x", "z": ["a", "b"]})


def in_zarr(folder: Path, arrays: Mapping[str, np.ndarray]) -> ZarrRows:
    group = zarr.create_group(folder)
    for name, array in arrays.items():
        group.create_array(name, data=array, chunks=(90, *array.shape[1:]))
    return ZarrRows(group)


def as_blocks(arrays: Mapping[str, np.ndarray], size: int = 37) -> IterableRows:
    def blocks() -> Iterator[dict[str, np.ndarray]]:
        for first in range(0, len(arrays["g"]), size):
            yield {name: array[first : first + size] for name, array in arrays.items()}

    return IterableRows(blocks, rows=len(arrays["g"]))


class Shorter(AbstractRows):
    """Three rows, of which it gives two."""

    @property
    def rows(self) -> int:
        return 3

    @property
    def columns(self) -> dict[str, Column]:
        return {"g": Column((), np.dtype(int)), "x": Column((), np.dtype(float))}

    def blocks(self, random: Any) -> Iterator[dict[str, np.ndarray]]:
        yield {"g": np.array([1, 2]), "x": np.zeros(2)}


def sources(folder: Path, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return {
        "arrays": ArrayRows(arrays, block_rows=64),
        "one file": parquet(_made(folder / "one"), arrays),
        "three files": parquet(_made(folder / "three"), arrays, files=3),
        "zarr": in_zarr(folder / "zarr", arrays),
        "blocks": as_blocks(arrays),
    }


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def as_table(keys: np.ndarray, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    table = np.column_stack([keys, x, z])
    return table[np.lexsort(table.T)]


def test_groups_are_counted_where_their_rows_are_together(tmp_path: Path) -> None:
    found, sizes = np.unique(KEYS, return_counts=True)
    for name, source in sources(tmp_path, TOGETHER).items():
        counts = KeyCounts.of(source, "g")
        assert counts is not None, name
        assert (counts.rows, counts.groups, counts.largest) == (ROWS, len(found), sizes.max()), name
        assert sizes[found == counts.largest_key] == sizes.max()


def test_groups_whose_rows_are_apart_are_seen(tmp_path: Path) -> None:
    late = {name: np.concatenate([array, array[:1]]) for name, array in TOGETHER.items()}
    for arrays in (SHUFFLED, late):
        folder = _made(tmp_path / str(len(arrays["g"])))
        for name, source in sources(folder, arrays).items():
            assert KeyCounts.of(source, "g") is None, name


def test_keys_in_any_order_may_be_together() -> None:
    source = ArrayRows({"g": np.array([5, 5, 1, 9, 9, 9])}, block_rows=2)
    assert KeyCounts.of(source, "g") == KeyCounts(6, 3, 3, 9)


def test_only_the_keys_are_read(tmp_path: Path) -> None:
    """Another column has a null, which reading it would refuse."""
    table = pa.table({"g": [1, 1, 2], "x": pa.array([0.0, None, 1.0])})
    pq.write_table(table, tmp_path / "rows.parquet")
    source = ParquetRows(tmp_path, {"g": "g", "x": "x"})
    assert KeyCounts.of(source, "g") == KeyCounts(3, 2, 2, 1)


@pytest.mark.parametrize("shape", [GroupShape(60, 200), GroupShape(3, 200), GroupShape(1, 40)])
def test_batches_hold_each_row_once_with_its_group(tmp_path: Path, shape: GroupShape) -> None:
    for name, source in sources(tmp_path, TOGETHER).items():
        seen = []
        for batch in group_batches(source, "g", TYPES, shape):
            assert batch.arrays["z"].dtype == np.float32
            assert len(batch.index) == shape.rows
            assert batch.is_group.sum() == batch.groups <= shape.groups
            real = batch.weights == 1.0
            assert set(batch.weights) <= {0.0, 1.0}
            rows = batch.keys[batch.index], batch.arrays["x"], batch.arrays["z"]
            seen.append(tuple(each[real] for each in rows))
        keys, x, z = (np.concatenate(part) for part in zip(*seen, strict=True))
        np.testing.assert_array_equal(
            as_table(keys, x, z), as_table(KEYS, X, Z.astype(np.float32)), err_msg=name
        )


def test_batches_do_not_depend_on_where_blocks_end() -> None:
    shape = GroupShape(20, 150)
    one, other = (
        list(group_batches(as_blocks(TOGETHER, size), "g", TYPES, shape)) for size in (7, 411)
    )
    assert [batch.keys.tolist() for batch in one] == [batch.keys.tolist() for batch in other]


def test_what_fills_a_batch_up_is_a_copy_that_does_not_count() -> None:
    source = ArrayRows({"g": np.array([3, 3, 8]), "x": np.array([1.0, 2.0, 4.0])})
    [batch] = group_batches(source, "g", {"x": np.dtype(float)}, GroupShape(3, 5))
    assert batch.arrays["x"].tolist() == [1.0, 2.0, 4.0, 4.0, 4.0]
    assert batch.weights.tolist() == [1.0, 1.0, 1.0, 0.0, 0.0]
    assert batch.index.tolist() == [0, 0, 1, 1, 1]
    assert batch.is_group.tolist() == [True, True, False]


@pytest.mark.parametrize("last", [False, True])
def test_a_group_that_fits_in_no_batch_is_named(last: bool) -> None:
    keys = np.repeat([1, 2], [9, 1] if not last else [1, 9])
    source = ArrayRows({"g": keys, "x": np.zeros(10)}, block_rows=3)
    match = rf"key {1 + last} has \d rows or more, and a batch holds 4.*batch_size="
    with pytest.raises(RowsError, match=match):
        list(group_batches(source, "g", {"x": np.dtype(float)}, GroupShape(2, 4)))


def test_fewer_rows_than_there_were_are_an_error() -> None:
    with pytest.raises(RowsError, match="An epoch has 3 rows, but Shorter gave 2"):
        list(group_batches(Shorter(), "g", {"x": np.dtype(float)}, GroupShape(2, 4)))


def test_rows_in_memory_are_brought_together() -> None:
    source = together(SHUFFLED, "g", np.random.default_rng(1))
    assert KeyCounts.of(source, "g") is not None
    [block] = source.blocks(None)
    np.testing.assert_array_equal(
        as_table(block["g"], block["x"], block["z"]), as_table(KEYS, X, Z)
    )
    again, other = (together(SHUFFLED, "g", np.random.default_rng(n)) for n in (1, 2))
    [same], [different] = again.blocks(None), other.blocks(None)
    np.testing.assert_array_equal(same["x"], block["x"])
    assert (different["x"] != block["x"]).any()


def test_rows_on_disk_are_brought_together(tmp_path: Path) -> None:
    orders = []
    for name, source in sources(tmp_path, SHUFFLED).items():
        found = TogetherOnDisk(source, "g", ("x", "z"), seed=3)
        assert KeyCounts.of(found.rows, "g") is not None, name
        blocks = list(found.rows.blocks(None))
        g, x, z = (np.concatenate([block[part] for block in blocks]) for part in "gxz")
        np.testing.assert_array_equal(as_table(g, x, z), as_table(KEYS, X, Z), err_msg=name)
        orders.append(x)
    for order in orders[1:]:
        # The rows of a group keep their order, whatever they come from.
        np.testing.assert_array_equal(order, orders[0])


def test_another_seed_is_another_order_of_groups() -> None:
    one, other = (
        TogetherOnDisk(ArrayRows(SHUFFLED), "g", ("x",), seed=seed) for seed in (1, 2**63 + 5)
    )
    first, second = (next(each.rows.blocks(None))["x"] for each in (one, other))
    assert (first != second).any()


@pytest.mark.parametrize("keys", [KEYS.astype(float) + 0.5, KEYS % 2 == 0, KEYS.astype(np.int16)])
def test_keys_may_be_numbers_of_any_kind(keys: np.ndarray) -> None:
    found = TogetherOnDisk(ArrayRows({"g": keys, "x": X}), "g", ("x",), seed=0)
    counts = KeyCounts.of(found.rows, "g")
    assert counts is not None
    assert counts.groups == len(np.unique(keys))


def test_the_file_goes_with_its_rows() -> None:
    found = TogetherOnDisk(ArrayRows(SHUFFLED), "g", ("x",), seed=0)
    folder = found.folder
    assert folder.exists()
    del found
    assert not folder.exists()


def test_what_a_source_raises_comes_through(tmp_path: Path) -> None:
    table = pa.table({"g": pa.array([1, None, 2]), "x": [0.0, 1.0, 2.0]})
    pq.write_table(table, tmp_path / "rows.parquet")
    source = ParquetRows(tmp_path, {"g": "g", "x": "x"})
    with pytest.raises(RowsError, match=r"Column 'g' of .* is null or NaN in 1 of 3 rows"):
        TogetherOnDisk(source, "g", ("x",), seed=0)
    with pytest.raises(RowsError, match="Array 'g' has NaN in row 1"):
        TogetherOnDisk(ArrayRows({"g": np.array([1.0, np.nan])}), "g", (), seed=0)


def test_an_error_late_in_the_rows_comes_through() -> None:
    def blocks() -> Iterator[dict[str, np.ndarray]]:
        yield {"g": np.arange(5), "x": np.zeros(5)}
        raise OSError("the network is down")

    with pytest.raises(RowsError, match="the network is down"):
        TogetherOnDisk(IterableRows(blocks, rows=10), "g", ("x",), seed=0)


def test_no_room_on_the_disk_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taut.rows.by_group_on_disk._MEMORY", "1KB")
    with pytest.raises(RowsError, match=r"can not be brought together in .*TMPDIR"):
        TogetherOnDisk(ArrayRows(SHUFFLED), "g", ("x", "z"), seed=0)


def test_rows_with_three_axes_are_refused() -> None:
    with pytest.raises(RowsError, match=r"A row of 'x' has shape \(2, 2\)"):
        TogetherOnDisk(ArrayRows({"g": KEYS, "x": np.zeros((ROWS, 2, 2))}), "g", ("x",), seed=0)


def test_names_with_quotes_are_columns_too() -> None:
    odd = "x \"of\" the 'row'"
    found = TogetherOnDisk(ArrayRows({"g": KEYS, odd: X}), "g", (odd,), seed=0)
    assert odd in found.rows.columns
