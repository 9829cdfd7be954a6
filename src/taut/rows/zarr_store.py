"""Rows of arrays in a zarr group."""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, final

import numpy as np

from taut.errors import ArgumentError, RowsError
from taut.rows.base import (
    AbstractRows,
    Column,
    as_column,
    check_names,
    common_rows,
    default_block_rows,
    load,
    quoted,
    refuse_nan,
    row_bytes,
)

# One chunk of each array is in memory at once.
_MOST_BYTES = 256 * 2**20


@final
class ZarrRows(AbstractRows):
    """Rows of arrays in a zarr group, read in whole chunks.

    Parameters
    ----------
    store
        A folder, a zarr store, or a group.
    names
        For each array its name in the group; by default all arrays of the group, by these names.

    Raises
    ------
    ArgumentError
        `names` is not a dict of strings.
    RowsError
        There is no such group or array, arrays differ in their rows, hold something else than
        numbers, or have chunks too large for memory. While rows are read: one is NaN, or chunks
        that were there are gone.

    Examples
    --------
    >>> import numpy as np, zarr
    >>> from taut.rows import ZarrRows
    >>> group = zarr.create_group({})
    >>> _ = group.create_array("target", data=np.arange(5), chunks=(2,))
    >>> source = ZarrRows(group, {"y": "target"})
    >>> source.rows, list(source.columns)
    (5, ['y'])
    """

    def __init__(self, store: Any, names: Mapping[str, str] | None = None) -> None:
        self._store, self._names = store, names
        self._arrays = _arrays(_open(store), names)
        self._columns = {
            name: as_column(name, array.shape, array.dtype) for name, array in self._arrays.items()
        }
        self._rows = common_rows({name: array.shape[0] for name, array in self._arrays.items()})
        self._bands = _band_rows(self._arrays, self._columns)
        # Of a store that can not list what it holds nothing is noticed.
        self._chunks = {
            name: array.nchunks_initialized if array.store.supports_listing else 0
            for name, array in self._arrays.items()
        }

    @property
    def rows(self) -> int:
        return self._rows

    @property
    def columns(self) -> Mapping[str, Column]:
        return self._columns

    def only(self, names: Iterable[str]) -> "ZarrRows":
        """Return the rows of these arrays alone."""
        own = {name: name for name in self._arrays} if self._names is None else self._names
        return ZarrRows(self._store, {name: own[name] for name in names})

    def blocks(self, random: np.random.Generator | None) -> Iterator[Mapping[str, np.ndarray]]:
        bands = {
            name: _Bands(array, self._bands[name], self._chunks[name])
            for name, array in self._arrays.items()
        }
        # Blocks within the longest band follow one another, so that it is read once.
        span, step = max(self._bands.values()), min(self._bands.values())
        spans = np.arange(0, self._rows, span)
        if random is not None:
            random.shuffle(spans)
        for first in spans.tolist():
            last = min(first + span, self._rows)
            for start in range(first, last, step):
                stop = min(start + step, last)
                block = {name: _read(name, band, start, stop) for name, band in bands.items()}
                for name, array in block.items():
                    refuse_nan(name, array, start)
                yield block


class _Bands:
    """An array read in bands of whole chunks along its first axis; the last one is kept."""

    def __init__(self, array: Any, rows: int, chunks: int) -> None:
        self._array, self._rows, self._chunks = array, rows, chunks
        self._index, self._band = -1, np.empty(0)

    def read(self, start: int, stop: int) -> np.ndarray:
        parts = []
        for index in range(start // self._rows, -(-stop // self._rows)):
            first = index * self._rows
            parts.append(self._read_band(index)[max(start - first, 0) : stop - first])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _read_band(self, index: int) -> np.ndarray:
        if index != self._index:
            first = index * self._rows
            band = np.asarray(self._array[first : first + self._rows])
            # Zarr reads a chunk that is not there as one of fill values.
            if self._lost_chunks(band):
                raise FileNotFoundError("chunks that were there are gone")
            self._band, self._index = band, index
        return self._band

    def _lost_chunks(self, band: np.ndarray) -> bool:
        if not self._chunks or not _has_empty_chunk(band, self._array):
            return False
        return self._array.nchunks_initialized < self._chunks


def _has_empty_chunk(band: np.ndarray, array: Any) -> bool:
    """Return whether all values of some chunk are the array's fill value."""
    fill = 0 if array.fill_value is None else array.fill_value
    steps = [
        [slice(i, i + chunk) for i in range(0, length, chunk)]
        for length, chunk in zip(band.shape, array.shards or array.chunks, strict=True)
    ]
    chunks = (band[place] for place in itertools.product(*steps))
    return any(chunk.flat[0] == fill and bool(np.all(chunk == fill)) for chunk in chunks)


def _read(name: str, bands: _Bands, start: int, stop: int) -> np.ndarray:
    try:
        return bands.read(start, stop)
    # Whatever a store or a codec raises.
    except Exception as error:
        raise RowsError(
            f"Rows {start:,} to {stop - 1:,} of the zarr array {name!r} can not be read: {error}. "
            "Were its files changed, moved or written only in part?"
        ) from error


def _open(store: Any) -> Any:
    zarr = load("zarr", "ZarrRows")
    if isinstance(store, zarr.Group):
        return store
    try:
        return zarr.open_group(store, mode="r")
    except Exception as error:
        raise RowsError(
            f"There is no zarr group at {store!r}: {error}. Give a folder, a store or a group that "
            "holds the arrays."
        ) from error


def _arrays(group: Any, names: Mapping[str, str] | None) -> dict[str, Any]:
    found = dict(group.arrays())
    if names is None:
        if not found:
            raise RowsError(f"There is no array in the zarr group {group.name!r}.")
        names = {name: name for name in sorted(found)}
    check_names(names, "names of arrays in the group")
    for name in names.values():
        if not isinstance(name, str):
            raise ArgumentError(f"An array of the group is named by a string, got {name!r}.")
        if name not in found:
            raise RowsError(
                f"There is no array {name!r} in the zarr group; it has {quoted(sorted(found))}."
            )
    return {name: found[inner] for name, inner in names.items()}


def _band_rows(arrays: Mapping[str, Any], columns: Mapping[str, Column]) -> dict[str, int]:
    """Choose how many rows of each array are read at once: whole chunks, of about a block."""
    wanted = default_block_rows(columns)
    rows, size = {}, 0
    for name, array in arrays.items():
        chunk = max(1, (array.shards or array.chunks)[0])
        rows[name] = chunk * max(1, wanted // chunk)
        size += min(rows[name], array.shape[0]) * row_bytes({name: columns[name]})
    if size > _MOST_BYTES:
        told = ", ".join(f"{name!r} {math.prod(a.chunks):,}" for name, a in arrays.items())
        raise RowsError(
            f"One chunk of each array has {size / 2**20:,.0f} MB in all (elements of a chunk: "
            f"{told}), more than the {_MOST_BYTES // 2**20} that are kept in memory. Write the "
            "arrays again, in chunks of fewer rows."
        )
    return rows
