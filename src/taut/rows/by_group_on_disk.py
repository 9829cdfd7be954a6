"""Rows that are more than memory holds, those of a group together, in a file of their own."""

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, final

import numpy as np

from taut.errors import RowsError
from taut.rows.base import AbstractRows, load
from taut.rows.parquet import ParquetRows

# What the engine may hold; threads beyond two gain nothing, and each wants its share.
_MEMORY, _THREADS = "512MB", 2
_ROW_GROUP = 2**18
# Constants of a mix of 64 bits, each of which changes half of those that come out.
_MIX = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_ORDER, _NUMBER = " order", " number"


@final
class TogetherOnDisk:
    """Rows in a temporary file, those of each group together and groups in a random order.

    The file is removed with this object.

    Parameters
    ----------
    source
        The rows, which are read once.
    key
        The column of keys.
    names
        The other columns that are kept.
    seed
        Decides the order of groups.

    Attributes
    ----------
    folder
        Where the file is.
    rows
        The rows as they are there.

    Raises
    ------
    RowsError
        Rows can not be read, have more than two axes, or there is no room on the disk.
    ModuleNotFoundError
        duckdb is not installed.
    """

    def __init__(self, source: AbstractRows, key: str, names: tuple[str, ...], seed: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="taut-"))
        remove = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        try:
            parts = {name: _parts(source, name) for name in (key, *names)}
            path = self.folder / "rows.parquet"
            _write(source, key, parts, seed, path)
            columns = {n: p if source.columns[n].shape else p[0] for n, p in parts.items()}
            self.rows = ParquetRows(path, columns)
        except BaseException:
            remove()
            raise


def _parts(source: AbstractRows, name: str) -> list[str]:
    """Name the columns that an array is kept in."""
    shape = source.columns[name].shape
    if len(shape) == 0:
        return [name]
    if len(shape) > 1:
        raise RowsError(
            f"A row of {name!r} has shape {shape}. Rows whose groups are not together are kept on "
            "disk for a while, in columns: give arrays with one or two axes."
        )
    return [f"{name}[{i}]" for i in range(shape[0])]


def _write(
    source: AbstractRows, key: str, parts: Mapping[str, list[str]], seed: int, path: Path
) -> None:
    """Let the engine sort rows by a random number of their group."""
    arrow, duckdb = (load(name, "Groups on disk") for name in ("pyarrow", "duckdb"))
    failed: list[BaseException] = []
    batches = _batches(arrow, source, key, parts, seed, failed)
    first = next(batches)
    stream = arrow.RecordBatchReader.from_batches(first.schema, _and(first, batches))
    settings = {
        "memory_limit": _MEMORY, "threads": _THREADS, "temp_directory": str(path.parent / "spill"),
        "preserve_insertion_order": False,
    }  # fmt: skip
    kept = ", ".join(_quoted(name) for each in parts.values() for name in each)
    order = ", ".join(map(_quoted, (_ORDER, parts[key][0], _NUMBER)))
    try:
        with duckdb.connect(config=settings) as engine:
            engine.execute("SET enable_progress_bar = false")
            engine.register("rows", stream)
            engine.execute(
                f"COPY (SELECT {kept} FROM rows ORDER BY {order}) TO '{_escaped(path)}' "
                f"(FORMAT parquet, ROW_GROUP_SIZE {_ROW_GROUP})"
            )
    except duckdb.Error as error:
        if failed:
            raise failed[0] from None
        raise RowsError(
            f"The rows of each group can not be brought together in {path.parent}: "
            f"{str(error).splitlines()[0]}. It takes as much disk as the rows would take memory, "
            "twice for a while; the environment variable TMPDIR chooses another place."
        ) from error


def _batches(
    arrow: Any,
    source: AbstractRows,
    key: str,
    parts: Mapping[str, list[str]],
    seed: int,
    failed: list[BaseException],
) -> Iterator[Any]:
    """Read rows, with a random number of their group and their own; keep what is raised."""
    seen = 0
    try:
        for block in source.blocks(None):
            count = len(block[key])
            columns = {
                part: block[name] if len(each) == 1 and block[name].ndim == 1 else block[name][:, i]
                for name, each in parts.items()
                for i, part in enumerate(each)
            }
            columns[_ORDER] = _mixed(block[key], seed)
            columns[_NUMBER] = np.arange(seen, seen + count)
            seen += count
            yield arrow.RecordBatch.from_pydict(columns)
    # The engine would raise an error of its own in its place.
    except BaseException as error:
        failed.append(error)
        raise


def _and(first: Any, others: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from others


def _mixed(keys: np.ndarray, seed: int) -> np.ndarray:
    """Return a random number of each key.

    References
    ----------
    Steele, Lea, Flood (2014), Fast splittable pseudorandom number generators.
    """
    wide = keys.astype(np.float64 if keys.dtype.kind == "f" else np.int64).view(np.uint64)
    z = wide + np.uint64(seed % 2**64) + np.uint64(_MIX[0])
    z = (z ^ (z >> np.uint64(30))) * np.uint64(_MIX[1])
    z = (z ^ (z >> np.uint64(27))) * np.uint64(_MIX[2])
    return z ^ (z >> np.uint64(31))


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")
