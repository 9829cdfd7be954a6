"""Rows of arrays: in memory, or mapped into it from a file."""

import mmap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, final

import numpy as np

from taut.arguments import as_positive
from taut.errors import ArgumentError
from taut.rows.base import (
    AbstractRows,
    Column,
    as_array,
    as_column,
    check_names,
    common_rows,
    default_block_rows,
    refuse_nan,
)


@final
class ArrayRows(AbstractRows):
    """Rows of NumPy arrays and memory maps, or of whatever else is sliced along its first axis.

    Parameters
    ----------
    arrays
        Names and arrays, equally long along the first axis. An `h5py` dataset is one too; arrays
        of zarr are read faster by `ZarrRows`, which knows of their chunks.
    block_rows
        Rows that are read at once; by default those of 8 MB, or 262 144.

    Raises
    ------
    ArgumentError
        No array is given, or something that is none.
    RowsError
        Arrays differ in their rows, or hold something else than numbers. While rows are read: one
        is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from taut.rows import ArrayRows
    >>> source = ArrayRows({"X": np.zeros((10, 3)), "y": np.arange(10)}, block_rows=4)
    >>> source.rows
    10
    >>> [block["y"].tolist() for block in source.blocks(random=None)]
    [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    """

    def __init__(self, arrays: Mapping[str, Any], *, block_rows: int | None = None) -> None:
        check_names(arrays, "arrays")
        for name, array in arrays.items():
            if not all(hasattr(array, part) for part in ("shape", "dtype", "__getitem__")):
                raise ArgumentError(
                    f"{name!r} must be an array, got {type(array).__name__}; numpy.asarray and "
                    "pandas' to_numpy make one."
                )
        self._arrays = dict(arrays)
        self._columns = {name: as_column(name, a.shape, a.dtype) for name, a in arrays.items()}
        self._rows = common_rows({name: int(array.shape[0]) for name, array in arrays.items()})
        if block_rows is not None:
            block_rows = as_positive("block_rows", block_rows)
        self._block_rows = block_rows or default_block_rows(self._columns)

    @property
    def rows(self) -> int:
        return self._rows

    @property
    def columns(self) -> Mapping[str, Column]:
        return self._columns

    def only(self, names: Iterable[str]) -> "ArrayRows":
        """Return the rows of these arrays alone."""
        return ArrayRows({name: self._arrays[name] for name in names})

    def blocks(self, random: np.random.Generator | None) -> Iterator[Mapping[str, np.ndarray]]:
        starts = np.arange(0, self._rows, self._block_rows)
        if random is not None:
            random.shuffle(starts)
        for start in starts.tolist():
            stop = start + self._block_rows
            block = {
                name: as_array(name, array[start:stop]) for name, array in self._arrays.items()
            }
            for name, array in block.items():
                refuse_nan(name, array, start)
            yield block
            for array in self._arrays.values():
                _forget(array)


def _forget(array: Any) -> None:
    """Release the pages of a memory map, which else stay in memory as long as there is room."""
    # In mode "c" the pages hold changes that are nowhere else.
    if isinstance(array, np.memmap) and array.mode != "c" and hasattr(mmap, "MADV_DONTNEED"):
        base = array.base
        while isinstance(base, np.ndarray):
            base = base.base
        if isinstance(base, mmap.mmap):
            base.madvise(mmap.MADV_DONTNEED)
