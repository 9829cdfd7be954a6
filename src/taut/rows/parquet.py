"""Rows of Parquet files."""

import itertools
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, final

import numpy as np

from taut.errors import ArgumentError, RowsError
from taut.rows.base import (
    BLOCK_BYTES,
    BLOCK_ROWS,
    AbstractRows,
    Column,
    check_names,
    has_nan,
    load,
    row_bytes,
)
from taut.rows.parquet_files import ParquetFile, Paths, check_alike, find_files, inspect, open_file

# A row group of more bytes is read in pieces.
_GROUP_BYTES = 2 * BLOCK_BYTES
# Row groups that are read side by side hold a page of each column, packed and unpacked.
_PAGES_BYTES, _PAGE_BYTES, _MOST_GROUPS = 64 * 2**20, 2 * 2**20, 4
# Columns are put side by side in pieces that stay within the cache.
_TILE_BYTES = 2**19
_MOST_OPEN = 16

Columns = str | list[str]


@final
class ParquetRows(AbstractRows):
    """Rows of Parquet files, read a row group at a time.

    Only the columns that are named are read. A large row group is read in pieces; in a random
    order, those of several row groups take turns.

    Parameters
    ----------
    paths
        A file, a folder, whose `*.parquet` are taken, a pattern such as `"trips/*.parquet"`, or a
        list of these. Files of a folder or pattern are sorted by name.
    columns
        For each array the column it is, or a list of columns, which become an array with two axes.

    Raises
    ------
    ArgumentError
        No path is given, or no column.
    RowsError
        There is no such file, or it has no such column, or one that holds no numbers, or files
        differ in their types. While rows are read: one is null or NaN, or a file has changed.
    ModuleNotFoundError
        pyarrow is not installed.

    Examples
    --------
    >>> import tempfile
    >>> import pyarrow as pa, pyarrow.parquet as pq
    >>> from taut.rows import ParquetRows
    >>> folder = tempfile.TemporaryDirectory()
    >>> trips = pa.table({"km": [1.0, 2.5], "minutes": [4.0, 9.0], "fare": [5, 11]})
    >>> pq.write_table(trips, f"{folder.name}/trips.parquet")
    >>> source = ParquetRows(folder.name, {"X": ["km", "minutes"], "y": "fare"})
    >>> next(source.blocks(random=None))["X"].tolist()
    [[1.0, 4.0], [2.5, 9.0]]
    >>> folder.cleanup()
    """

    def __init__(self, paths: Paths, columns: Mapping[str, Columns]) -> None:
        self._paths, self._asked = paths, columns
        self._wanted = _wanted(columns)
        needed = dict.fromkeys(itertools.chain.from_iterable(self._wanted.values()))
        self._files = [inspect(path, needed) for path in find_files(paths)]
        check_alike(self._files)
        self._needed = list(needed)
        self._columns = _columns(columns, self._files[0].types)
        self._rows = sum(sum(file.groups) for file in self._files)
        if not self._rows:
            raise RowsError(f"There are no rows in {str(self._files[0].path)!r}, nor in others.")

    @property
    def rows(self) -> int:
        return self._rows

    @property
    def columns(self) -> Mapping[str, Column]:
        return self._columns

    def only(self, names: Iterable[str]) -> "ParquetRows":
        """Return the rows of these arrays alone."""
        return ParquetRows(self._paths, {name: self._asked[name] for name in names})

    def blocks(self, random: np.random.Generator | None) -> Iterator[Mapping[str, np.ndarray]]:
        groups = [(file, group) for file in self._files for group in range(len(file.groups))]
        opened = _Opened()
        if random is None:
            for file, group in groups:
                yield from self._read(opened, file, group)
        else:
            random.shuffle(groups)
            readers = (self._read(opened, file, group) for file, group in groups)
            pages = _PAGES_BYTES // (_PAGE_BYTES * len(self._needed))
            yield from _take_turns(readers, max(1, min(pages, _MOST_GROUPS)), random)

    def _read(
        self, opened: "_Opened", file: ParquetFile, group: int
    ) -> Iterator[dict[str, np.ndarray]]:
        """Read a row group, in one or more pieces of equal length."""
        rows, handle = file.groups[group], opened.get(file)
        most = max(1, min(BLOCK_ROWS, _GROUP_BYTES // row_bytes(self._columns)))
        step = max(1, math.ceil(rows / max(1, math.ceil(rows / most))))
        errors = (OSError, load("pyarrow", "ParquetRows").ArrowException)
        try:
            for batch in handle.iter_batches(
                step, row_groups=[group], columns=self._needed, use_threads=False
            ):
                values = {name: _values(batch.column(name)) for name in self._needed}
                if any(found is None for found in values.values()):
                    raise _incomplete(handle, file, group, values)
                yield {name: self._array(name, values) for name in self._columns}
        except errors as error:
            raise RowsError(
                f"Row group {group} of {_told(file)} can not be read: {error}"
            ) from error

    def _array(self, name: str, values: Mapping[str, Any]) -> np.ndarray:
        column, wanted = self._columns[name], self._wanted[name]
        if not column.shape:
            return values[wanted[0]]
        rows = len(values[wanted[0]])
        array = np.empty((rows, len(wanted)), column.dtype)
        step = max(1, _TILE_BYTES // row_bytes({name: column}))
        for first in range(0, rows, step):
            tile = array[first : first + step]
            for index, part in enumerate(wanted):
                tile[:, index] = values[part][first : first + step]
        return array


class _Opened:
    """Files that are open, the last ones used; each is looked after before it is used again."""

    def __init__(self) -> None:
        self._handles: dict[Path, tuple[tuple[int, int], Any]] = {}

    def get(self, file: ParquetFile) -> Any:
        try:
            found = os.stat(file.path)
        except OSError as error:
            raise RowsError(
                f"{_told(file)} can not be read any more: {error.strerror}. Files must stay as "
                "they are as long as they are in use."
            ) from error
        stamp = (found.st_mtime_ns, found.st_size)
        before, handle = self._handles.pop(file.path, (None, None))
        if stamp != before:
            handle = _open_unchanged(file)
        self._handles[file.path] = (stamp, handle)
        if len(self._handles) > _MOST_OPEN:
            # Not closed: a row group of it may be half read.
            del self._handles[next(iter(self._handles))]
        return handle


def _open_unchanged(file: ParquetFile) -> Any:
    now = inspect(file.path, file.types)
    if now != file:
        if (now.groups, now.types) == (file.groups, file.types):
            raise RowsError(
                f"{_told(file)} has changed: its values are other ones. Files must stay as they "
                "are as long as they are in use."
            )
        raise RowsError(
            f"{_told(file)} has changed: it had {_content(file, now)}; now it has "
            f"{_content(now, file)}. Files must stay as they are as long as they are in use."
        )
    return open_file(file.path)


def _take_turns(
    readers: Iterator[Iterator[dict[str, np.ndarray]]], count: int, random: np.random.Generator
) -> Iterator[dict[str, np.ndarray]]:
    """Read pieces of so many readers in a random order; one that is done makes way."""
    active = list(itertools.islice(readers, count))
    while active:
        index = int(random.integers(len(active)))
        piece = next(active[index], None)
        if piece is None:
            active[index : index + 1] = itertools.islice(readers, 1)
        else:
            yield piece


def _wanted(columns: Mapping[str, Columns]) -> dict[str, list[str]]:
    check_names(columns, "columns")
    wanted = {
        name: [part] if isinstance(part, str) or not isinstance(part, Iterable) else list(part)
        for name, part in columns.items()
    }
    for name, parts in wanted.items():
        if not parts or not all(isinstance(part, str) for part in parts):
            raise ArgumentError(
                f"{name!r} must be a column, or a list of columns, by name; got {columns[name]!r}."
            )
    return wanted


def _columns(columns: Mapping[str, Columns], types: Mapping[str, Any]) -> dict[str, Column]:
    dtypes = {name: np.dtype(kind.to_pandas_dtype()) for name, kind in types.items()}
    return {
        name: Column((), dtypes[part])
        if isinstance(part, str)
        else Column((len(part),), np.result_type(*(dtypes[each] for each in part)))
        for name, part in columns.items()
    }


def _values(column: Any) -> np.ndarray | None:
    """Return a column without a copy, where it is no column of bits; `None` if one is missing."""
    if column.null_count:
        return None
    values = column.to_numpy(zero_copy_only=False)
    return None if has_nan(values) else values


def _incomplete(handle: Any, file: ParquetFile, group: int, values: Mapping[str, Any]) -> RowsError:
    """Say which column has no value in how many rows, of which the whole row group is read."""
    name = next(name for name, found in values.items() if found is None)
    column = handle.read_row_group(group, columns=[name], use_threads=False).column(name)
    values_there = column.drop_null().to_numpy()
    nans = int(np.isnan(values_there).sum()) if values_there.dtype.kind == "f" else 0
    return RowsError(
        f"Column {name!r} of {_told(file)}, row group {group}, is null or NaN in "
        f"{column.null_count + nans:,} of {file.groups[group]:,} rows. Leave these rows out when "
        f"the file is written (pandas: dropna(subset=[{name!r}])), or fill them in."
    )


def _content(file: ParquetFile, other: ParquetFile) -> str:
    """Say what is in a file, types only where they are not those of the other."""
    types = [f", {name!r} of type {t}" for name, t in file.types.items() if t != other.types[name]]
    return f"{sum(file.groups):,} rows in {len(file.groups)} row groups{''.join(types)}"


def _told(file: ParquetFile) -> str:
    return repr(str(file.path))
