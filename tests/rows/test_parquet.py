"""Rows of Parquet files."""

import decimal
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taut.errors import ArgumentError, RowsError
from taut.rows import Column, Packed, ParquetRows, Partition
from taut.rows.parquet_files import open_file

COLUMNS = {"X": ["b", "a"], "y": "y"}


def table(first: int, rows: int) -> pa.Table:
    """Rows that carry their number, in three types."""
    number = np.arange(first, first + rows)
    return pa.table({"a": -number, "b": number.astype("f4"), "y": number, "flag": number % 2 == 0})


def write(folder: Path, sizes: tuple[int, ...] = (10, 7), group: int = 4) -> Path:
    """Files of so many rows each, one after another."""
    for i, rows in enumerate(sizes):
        pq.write_table(table(sum(sizes[:i]), rows), folder / f"{i}.parquet", row_group_size=group)
    return folder


def joined(source: ParquetRows, random: np.random.Generator | None = None) -> dict[str, Any]:
    """All blocks of an epoch."""
    blocks = list(source.blocks(random))
    return {name: np.concatenate([block[name] for block in blocks]) for name in source.columns}


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    group=st.integers(1, 30),
    group_bytes=st.sampled_from([1, 100, 10**6]),
    seed=st.none() | st.integers(0, 9),
)
def test_an_epoch_has_every_row_once(
    tmp_path_factory: pytest.TempPathFactory,
    sizes: list[int],
    group: int,
    group_bytes: int,
    seed: int | None,
) -> None:
    folder = write(tmp_path_factory.mktemp("rows"), tuple(sizes), group)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("taut.rows.parquet._GROUP_BYTES", group_bytes)
        source = ParquetRows(folder, COLUMNS)
        found = joined(source, None if seed is None else np.random.default_rng(seed))
    np.testing.assert_array_equal(found["X"], np.stack([found["y"], -found["y"]], axis=1))
    given = found["y"] if seed is None else np.sort(found["y"])
    np.testing.assert_array_equal(given, np.arange(sum(sizes)))


def test_blocks_come_in_a_random_order(tmp_path: Path) -> None:
    source = ParquetRows(write(tmp_path), COLUMNS)
    orders = [joined(source, np.random.default_rng(s))["y"].tolist() for s in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_large_row_groups_are_read_in_pieces_that_take_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a row 20 bytes are read, and 200 bytes at a time."""
    monkeypatch.setattr("taut.rows.parquet._GROUP_BYTES", 200)
    source = ParquetRows(write(tmp_path, (400,), group=100), {"X": ["a", "b"], "f": "b"})
    in_order = [block["f"] for block in source.blocks(None)]
    assert {len(piece) for piece in in_order} == {10}
    turns = [int(block["f"][0]) // 100 for block in source.blocks(np.random.default_rng(0))]
    assert len(set(turns[:10])) > 1
    assert np.bincount(turns).tolist() == [10, 10, 10, 10]


def test_arrays_are_described_before_they_are_read(tmp_path: Path) -> None:
    source = ParquetRows(write(tmp_path), {"X": ["a", "b"], "y": "y", "f": "flag", "one": ["b"]})
    assert source.rows == 17
    assert source.columns == {
        "X": Column((2,), np.dtype("float64")),
        "y": Column((), np.dtype("int64")),
        "f": Column((), np.dtype(bool)),
        "one": Column((1,), np.dtype("float32")),
    }
    for block in source.blocks(None):
        assert {n: Column(a.shape[1:], a.dtype) for n, a in block.items()} == source.columns
        assert block["X"].flags.c_contiguous


def test_booleans_are_read(tmp_path: Path) -> None:
    flags = joined(ParquetRows(write(tmp_path), {"f": "flag"}))["f"]
    np.testing.assert_array_equal(flags, np.arange(17) % 2 == 0)


@pytest.mark.parametrize("kind", ["int8", "uint16", "int32", "uint64", "float16", "float32"])
def test_each_type_of_numbers_is_read(tmp_path: Path, kind: str) -> None:
    values = np.arange(5).astype(kind)
    pq.write_table(pa.table({"y": values}), tmp_path / "y.parquet")
    found = joined(ParquetRows(tmp_path, {"y": "y"}))["y"]
    assert found.dtype == kind
    np.testing.assert_array_equal(found, values)


def test_many_columns_keep_their_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In tiles of 10 rows."""
    monkeypatch.setattr("taut.rows.parquet._TILE_BYTES", 10 * 30 * 8)
    X = np.random.default_rng(0).normal(size=(95, 30))
    pq.write_table(pa.table({f"x{j}": X[:, j] for j in range(30)}), tmp_path / "X.parquet")
    source = ParquetRows(tmp_path, {"X": [f"x{j}" for j in range(30)]})
    np.testing.assert_array_equal(joined(source)["X"], X)


def test_only_the_columns_that_are_needed_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, iterate = [], pq.ParquetFile.iter_batches

    def spied(file: pq.ParquetFile, *args: Any, **options: Any) -> Any:
        read.append(options["columns"])
        return iterate(file, *args, **options)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", spied)
    joined(ParquetRows(write(tmp_path, (4,)), {"X": ["a", "y"], "y": "y"}))
    assert read == [["a", "y"]]


# Paths


@pytest.mark.parametrize(
    "form",
    [
        lambda folder: folder,
        str,
        lambda folder: f"{folder}/*.parquet",
        lambda folder: f"{folder}/**/?.parquet",
        lambda folder: [folder / "0.parquet", str(folder / "1.parquet")],
        lambda folder: [folder / "0.parquet", folder],
    ],
    ids=["folder", "string", "pattern", "deep", "list", "twice"],
)
def test_files_are_given_in_any_form(tmp_path: Path, form: Any) -> None:
    found = joined(ParquetRows(form(write(tmp_path)), COLUMNS))
    np.testing.assert_array_equal(found["y"], np.arange(17))


def test_files_of_a_list_keep_its_order(tmp_path: Path) -> None:
    write(tmp_path)
    source = ParquetRows([tmp_path / "1.parquet", tmp_path / "0.parquet"], COLUMNS)
    assert joined(source)["y"].tolist() == [*range(10, 17), *range(10)]


def test_a_folder_is_searched_but_for_what_is_hidden(tmp_path: Path) -> None:
    for name in ("year=2024", "_temporary", ".hidden"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, (3,))
    (tmp_path / "_SUCCESS").touch()
    assert ParquetRows(tmp_path, COLUMNS).rows == 3


def test_a_file_may_have_a_name_like_a_pattern(tmp_path: Path) -> None:
    pq.write_table(table(0, 5), tmp_path / "part[1].parquet")
    assert ParquetRows(tmp_path / "part[1].parquet", COLUMNS).rows == 5


def test_a_relative_path_is_good_wherever_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write(tmp_path))
    source = ParquetRows("*.parquet", COLUMNS)
    monkeypatch.chdir("/")
    assert len(joined(source)["y"]) == 17


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere.parquet", r"no file or folder 'nowhere\.parquet', in /"),
        ("nowhere/*.parquet", r"No file matches 'nowhere/\*\.parquet', in /"),
        ("empty", r"no \*\.parquet file in the folder 'empty'"),
        ("words.parquet", r"words\.parquet' can not be read as a Parquet file"),
        ("none.parquet", r"no rows in .*none\.parquet"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("words.parquet").write_text("no Parquet")
    pq.write_table(table(0, 0), "none.parquet")
    with pytest.raises(RowsError, match=message):
        ParquetRows(path, COLUMNS)


# Columns


def test_a_missing_column_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    pq.write_table(pa.table({"fare": [1.0], "tip": [2.0]}), tmp_path / "0.parquet")
    message = r"no column 'fair' in '.*0\.parquet' \(did you mean 'fare'\?\); it has 'fare', 'tip'"
    with pytest.raises(RowsError, match=message):
        ParquetRows(tmp_path, {"y": "fair"})


def test_a_column_that_only_one_file_lacks_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"z": [1.0]}), write(tmp_path) / "2.parquet")
    with pytest.raises(RowsError, match=r"no column 'b' in '.*2\.parquet'"):
        ParquetRows(tmp_path, COLUMNS)


def test_a_name_that_two_columns_have_is_refused(tmp_path: Path) -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["y", "y"])
    pq.write_table(twice, tmp_path / "0.parquet")
    with pytest.raises(RowsError, match="There are 2 columns 'y'"):
        ParquetRows(tmp_path, {"y": "y"})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pa.array(["a"]), "type string; .* Turn it into integer codes"),
        (pa.array(["a"]).dictionary_encode(), "type dictionary.* Turn it into integer codes"),
        (pa.array([0], pa.timestamp("us")), r"type timestamp\[us\]; .* a float, such as seconds"),
        (pa.array([0], pa.date32()), "type date32.* a float, such as days"),
        (pa.array([0], pa.time64("us")), "type time64.* a float, such as seconds since midnight"),
        (pa.array([decimal.Decimal("1.5")]), "type decimal128.* Turn it into a float64"),
        (pa.array([[1, 2]]), "type list<.* one column for each element"),
        (pa.array([b"a"]), "type binary; .* Turn it into numbers"),
        (pa.array([{"a": 1}]), "type struct<.* Turn it into numbers"),
        (pa.array([None]), "type null; .* Turn it into numbers"),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_a_column_of_no_numbers_is_refused(tmp_path: Path, values: pa.Array, message: str) -> None:
    pq.write_table(pa.table({"y": values}), tmp_path / "0.parquet")
    with pytest.raises(RowsError, match=f"Column 'y' of '.*0.parquet' has the {message}"):
        ParquetRows(tmp_path, {"y": "y"})


def test_files_of_different_types_are_refused(tmp_path: Path) -> None:
    other = table(0, 3).set_column(2, "y", pa.array([1.0, 2.0, 3.0]))
    pq.write_table(other, write(tmp_path) / "2.parquet")
    message = r"'y' has the type int64 in '.*0\.parquet' and double in '.*2\.parquet'"
    with pytest.raises(RowsError, match=message):
        ParquetRows(tmp_path, COLUMNS)


@pytest.mark.parametrize(
    "columns", [{}, ["a"], {"X": []}, {"X": [1]}, {"": "a"}, {"X": ["a", None]}]
)
def test_columns_that_are_no_names_are_refused(tmp_path: Path, columns: Any) -> None:
    with pytest.raises(ArgumentError):
        ParquetRows(write(tmp_path), columns)


def test_no_path_is_refused() -> None:
    with pytest.raises(ArgumentError, match="paths must be a Parquet file, a folder"):
        ParquetRows([], COLUMNS)


# Values, and files that change


@pytest.mark.parametrize("column", ["a", "b", "flag"])
def test_a_null_is_refused_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    """Five rows of the second row group of the second file, read one row at a time."""
    monkeypatch.setattr("taut.rows.parquet._GROUP_BYTES", 1)
    good, bad = table(0, 20), table(20, 20).to_pydict()
    bad[column][11:16] = 5 * [None]
    pq.write_table(good, tmp_path / "0.parquet", row_group_size=10)
    pq.write_table(pa.table(bad, good.schema), tmp_path / "1.parquet", row_group_size=10)
    source = ParquetRows(tmp_path, {"X": ["a", "b", "flag"]})
    place = rf"'{column}' of '.*1\.parquet', row group 1, is null or NaN in 5 of 10 rows"
    with pytest.raises(RowsError, match=place):
        joined(source)


def test_nan_is_refused_as_null_is(tmp_path: Path) -> None:
    values = pa.array([1.0, np.nan, None, np.nan])
    pq.write_table(pa.table({"y": values}), tmp_path / "0.parquet")
    with pytest.raises(RowsError, match=r"'y' of .*, row group 0, is null or NaN in 3 of 4 rows"):
        joined(ParquetRows(tmp_path, {"y": "y"}))


def test_nulls_of_columns_that_are_not_needed_do_no_harm(tmp_path: Path) -> None:
    pq.write_table(pa.table({"y": [1, 2], "z": [None, 1.0]}), tmp_path / "0.parquet")
    assert joined(ParquetRows(tmp_path, {"y": "y"}))["y"].tolist() == [1, 2]


def read_on(source: ParquetRows, change: Any) -> None:
    """Read a block, change the files, and read the rest and another epoch."""
    blocks = source.blocks(None)
    next(blocks)
    change()
    list(blocks)
    joined(source)


def test_a_file_that_is_deleted_is_named(tmp_path: Path) -> None:
    source = ParquetRows(write(tmp_path), COLUMNS)
    with pytest.raises(RowsError, match=r"0\.parquet' can not be read any more: No such file"):
        read_on(source, (tmp_path / "0.parquet").unlink)


def test_a_file_that_is_deleted_while_it_is_looked_at_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, (10,)) / "0.parquet"

    def open_and_delete(path: Path) -> Any:
        found = open_file(path)
        path.unlink()
        return found

    monkeypatch.setattr("taut.rows.parquet_files.open_file", open_and_delete)
    with pytest.raises(RowsError, match=r"0\.parquet' can not be read any more: No such file"):
        ParquetRows(file, COLUMNS)


@pytest.mark.parametrize("rows", [9, 17])
def test_a_file_that_has_other_rows_is_named(tmp_path: Path, rows: int) -> None:
    source = ParquetRows(write(tmp_path), COLUMNS)
    message = rf"0\.parquet' has changed: it had 10 rows in 3 row groups; now it has {rows} rows in"
    with pytest.raises(RowsError, match=message):
        read_on(source, lambda: write(tmp_path, (rows,)))


def test_a_file_that_has_other_types_is_named(tmp_path: Path) -> None:
    source = ParquetRows(write(tmp_path), COLUMNS)
    other = table(0, 10).set_column(2, "y", pa.array(np.arange(10, dtype="f4")))
    with pytest.raises(
        RowsError, match=r"0\.parquet' has changed: .*'y' of type int64; now .*'y' of type float"
    ):
        read_on(source, lambda: pq.write_table(other, tmp_path / "0.parquet", row_group_size=4))


def test_a_file_that_was_cut_short_is_named(tmp_path: Path) -> None:
    source = ParquetRows(write(tmp_path), COLUMNS)
    with pytest.raises(RowsError, match=r"0\.parquet' can not be read as a Parquet file"):
        read_on(source, lambda: os.truncate(tmp_path / "0.parquet", 100))


def test_a_broken_page_is_named(tmp_path: Path) -> None:
    file = write(tmp_path, (1000,), group=500) / "0.parquet"
    data = bytearray(file.read_bytes())
    data[4 : len(data) // 2] = bytes(len(data) // 2 - 4)
    file.write_bytes(data)
    source = ParquetRows(tmp_path, {"y": "y"})
    with pytest.raises(RowsError, match=r"Row group 0 of '.*0\.parquet' can not be read"):
        joined(source)


def write_plainly(path: Path, values: np.ndarray) -> None:
    """Write a file whose end says nothing of the values, and no page is packed."""
    pq.write_table(
        pa.table({"y": values}), path, compression="none", use_dictionary=False,
        write_statistics=False,
    )  # fmt: skip


@pytest.mark.parametrize("rows", [100, 200_000])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_other_values_are_noticed_where_the_end_of_the_file_is_the_same(
    tmp_path: Path, rows: int, share: float
) -> None:
    path, values = tmp_path / "y.parquet", np.arange(float(rows))
    write_plainly(path, values)
    source, end = ParquetRows(path, {"y": "y"}), path.read_bytes()[-200:]
    # One of few values, and a thousandth of many.
    at = int(share * (rows - 1 - rows // 1000))
    values[at : at + 1 + rows // 1000] += 0.5
    write_plainly(path, values)
    assert path.read_bytes()[-200:] == end
    if rows == 100 or share in (0.0, 1.0):
        with pytest.raises(RowsError, match="its values are other ones"):
            joined(source)


def test_an_equal_copy_is_taken_for_the_same(tmp_path: Path) -> None:
    path, values = tmp_path / "y.parquet", np.arange(1000.0)
    write_plainly(path, values)
    source = ParquetRows(path, {"y": "y"})
    path.unlink()
    write_plainly(path, values)
    np.testing.assert_array_equal(joined(source)["y"], values)


def test_a_file_that_is_written_again_with_as_many_rows_is_read(tmp_path: Path) -> None:
    read_on(ParquetRows(write(tmp_path), COLUMNS), lambda: write(tmp_path))


def test_more_files_than_are_kept_open_are_read(tmp_path: Path) -> None:
    source = ParquetRows(write(tmp_path, 40 * (3,), group=2), COLUMNS)
    found = joined(source, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(found["y"]), np.arange(120))


def test_a_failure_reaches_who_takes_batches(tmp_path: Path) -> None:
    source = ParquetRows(write(tmp_path), COLUMNS)
    (tmp_path / "1.parquet").unlink()
    dtypes = {"X": np.dtype("float32"), "y": np.dtype("int32")}
    blocks = Packed(source, Partition.of(17, 5), dtypes, batches=2, shuffle=False, seed=0)
    assert next(blocks).ready == 2
    with pytest.raises(RowsError, match=r"1\.parquet' can not be read any more") as raised:
        next(blocks)
    assert isinstance(raised.value.__cause__, FileNotFoundError)


@pytest.mark.parametrize("module", ["pyarrow", "pyarrow.parquet"])
def test_without_pyarrow_the_message_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError, match=r'ParquetRows needs pyarrow.*"taut\[data\]"'):
        ParquetRows(write(tmp_path), COLUMNS)
