"""Rows of arrays in a zarr group."""

import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.storage import MemoryStore

from taut.errors import ArgumentError, RowsError
from taut.rows import ArrayRows, Column, ZarrRows


def group(rows: int = 20, chunks: int = 3, store: Any = None) -> zarr.Group:
    """Rows that carry their number, in chunks of two lengths."""
    made = zarr.create_group({} if store is None else store)
    number = np.arange(rows)
    made.create_array("X", data=np.stack([number, -number], axis=1), chunks=(chunks, 1))
    made.create_array("target", data=number, chunks=(2 * chunks + 1,))
    return made


def joined(source: ZarrRows, random: np.random.Generator | None = None) -> dict[str, np.ndarray]:
    """All blocks of an epoch."""
    blocks = list(source.blocks(random))
    return {name: np.concatenate([block[name] for block in blocks]) for name in source.columns}


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    rows=st.integers(1, 60),
    chunks=st.integers(1, 40),
    block_bytes=st.sampled_from([1, 100, 1000]),
    seed=st.none() | st.integers(0, 9),
)
def test_an_epoch_has_every_row_once(
    rows: int, chunks: int, block_bytes: int, seed: int | None
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("taut.rows.base.BLOCK_BYTES", block_bytes)
        source = ZarrRows(group(rows, chunks), {"X": "X", "y": "target"})
    found = joined(source, None if seed is None else np.random.default_rng(seed))
    np.testing.assert_array_equal(found["X"], np.stack([found["y"], -found["y"]], axis=1))
    given = found["y"] if seed is None else np.sort(found["y"])
    np.testing.assert_array_equal(given, np.arange(rows))


@pytest.mark.parametrize("gone", ["", "target", "target/c/1"])
def test_what_is_deleted_is_not_read_as_zeros(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    monkeypatch.setattr("taut.rows.base.BLOCK_BYTES", 1)
    group(store=tmp_path / "rows.zarr")
    source = ZarrRows(tmp_path / "rows.zarr", {"X": "X", "y": "target"})
    blocks = source.blocks(None)
    next(blocks)
    found = tmp_path / "rows.zarr" / gone
    shutil.rmtree(found) if found.is_dir() else found.unlink()
    with pytest.raises(RowsError, match=r"zarr array '[Xy]' can not be read: chunks .* are gone"):
        list(blocks)


def test_chunks_of_zeros_that_were_never_written_are_read() -> None:
    made = zarr.create_group({})
    values = np.zeros((20, 2))
    values[7:, 0] = 1.0
    made.create_array("X", data=values, chunks=(3, 1))
    np.testing.assert_array_equal(joined(ZarrRows(made))["X"], values)


def test_a_store_that_can_not_list_what_it_holds_is_read() -> None:
    class Unlisted(MemoryStore):
        supports_listing = False

        def list_prefix(self, prefix: str) -> AsyncIterator[str]:
            raise NotImplementedError

    content: dict = {}
    made = zarr.create_group(MemoryStore(content), zarr_format=2)
    made.create_array("y", data=np.zeros(20), chunks=(3,))
    zarr.consolidate_metadata(MemoryStore(content))
    source = ZarrRows(zarr.open_consolidated(Unlisted(content), mode="r"))
    np.testing.assert_array_equal(joined(source)["y"], np.zeros(20))


def test_each_chunk_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 3 and of 12 rows, which fit into one another."""
    made = zarr.create_group({})
    made.create_array("X", data=np.zeros((24, 2)), chunks=(3, 2))
    made.create_array("y", data=np.zeros(24), chunks=(12,))
    monkeypatch.setattr("taut.rows.base.BLOCK_BYTES", 1)
    source, read, getitem = ZarrRows(made), [], zarr.Array.__getitem__

    def counted(array: zarr.Array, rows: Any) -> Any:
        read.append((array.basename, rows.start, rows.stop))
        return getitem(array, rows)

    monkeypatch.setattr(zarr.Array, "__getitem__", counted)
    joined(source, np.random.default_rng(0))
    assert sorted(read) == sorted(
        [("X", first, first + 3) for first in range(0, 24, 3)] + [("y", 0, 12), ("y", 12, 24)]
    )


def test_blocks_come_in_a_random_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taut.rows.base.BLOCK_BYTES", 1)
    source = ZarrRows(group())
    orders = [joined(source, np.random.default_rng(s))["target"].tolist() for s in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_all_arrays_are_taken_by_default() -> None:
    source = ZarrRows(group())
    assert source.rows == 20
    assert source.columns == {
        "X": Column((2,), np.dtype("int64")),
        "target": Column((), np.dtype("int64")),
    }


@pytest.mark.parametrize("form", ["path", "string", "store", "group"])
def test_a_group_is_given_in_any_form(tmp_path: Path, form: str) -> None:
    path = tmp_path / "rows.zarr"
    made = group(store=path)
    forms = {"path": path, "string": str(path), "store": made.store, "group": made}
    np.testing.assert_array_equal(joined(ZarrRows(forms[form]))["target"], np.arange(20))


def test_shards_are_read_whole() -> None:
    made = zarr.create_group({})
    made.create_array("y", data=np.arange(50), chunks=(2,), shards=(10,))
    np.testing.assert_array_equal(joined(ZarrRows(made))["y"], np.arange(50))


def test_an_array_of_zarr_is_one_of_array_rows() -> None:
    source = ArrayRows({"y": group()["target"]}, block_rows=6)
    given = np.concatenate([block["y"] for block in source.blocks(None)])
    np.testing.assert_array_equal(given, np.arange(20))


def test_nan_is_refused_with_its_row() -> None:
    """Where nothing was written there is the fill value."""
    made = zarr.create_group({})
    array = made.create_array("y", shape=(20,), dtype="f8", chunks=(4,), fill_value=np.nan)
    array[:12] = 1.0
    with pytest.raises(RowsError, match=r"'y' has NaN in row 12 "):
        joined(ZarrRows(made))


def test_a_chunk_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    source = ZarrRows(group(store=tmp_path / "rows.zarr"), {"y": "target"})
    (tmp_path / "rows.zarr" / "target" / "c" / "0").write_bytes(b"no chunk")
    with pytest.raises(RowsError, match=r"Rows 0 to 19 of the zarr array 'y' can not be read"):
        joined(source)


def test_a_missing_group_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RowsError, match=r"no zarr group at .*nowhere"):
        ZarrRows(tmp_path / "nowhere.zarr")


def test_an_empty_group_is_refused() -> None:
    with pytest.raises(RowsError, match="no array in the zarr group '/'"):
        ZarrRows(zarr.create_group({}))


def test_a_missing_array_is_refused() -> None:
    with pytest.raises(RowsError, match="no array 'y' in the zarr group; it has 'X', 'target'"):
        ZarrRows(group(), {"y": "y"})


@pytest.mark.parametrize("names", [{}, ["X"], {"y": 3}])
def test_names_that_are_none_are_refused(names: Any) -> None:
    with pytest.raises(ArgumentError):
        ZarrRows(group(), names)


def test_arrays_of_other_rows_are_refused() -> None:
    made = group()
    made.create_array("short", data=np.zeros(7))
    with pytest.raises(RowsError, match="'X' has 20, 'short' has 7, 'target' has 20"):
        ZarrRows(made)


def test_dates_are_refused() -> None:
    made = zarr.create_group({})
    made.create_array("when", data=np.zeros(3, "datetime64[s]"))
    with pytest.raises(RowsError, match="'when' holds datetime64"):
        ZarrRows(made)


def test_chunks_too_large_for_memory_are_refused() -> None:
    made = zarr.create_group({})
    made.create_array("X", shape=(10**6, 100), dtype="f8", chunks=(10**6, 100))
    with pytest.raises(RowsError, match=r"763 MB in all.*chunks of fewer rows"):
        ZarrRows(made)


def test_without_zarr_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ModuleNotFoundError, match=r'ZarrRows needs zarr.*"taut\[data\]"'):
        ZarrRows("rows.zarr")
