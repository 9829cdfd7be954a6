"""Rows of named arrays that may be larger than memory, read in blocks."""

import importlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from taut.errors import ArgumentError, RowsError

# A block is read at once: large enough to read fast, small enough to have several in memory.
BLOCK_BYTES = 8 * 2**20
# Narrow rows would else be so many that mixing them misses the cache.
BLOCK_ROWS = 2**18
_NUMBERS = "biuf"


@dataclass(frozen=True)
class Column:
    """What is known of a named array before it is read.

    Parameters
    ----------
    shape
        Of one row; `()` for a scalar per row.
    dtype
        Of its elements.
    """

    shape: tuple[int, ...]
    dtype: np.dtype


class AbstractRows(ABC):
    """Rows of named arrays that stay where they are, and are read in blocks."""

    @property
    @abstractmethod
    def rows(self) -> int:
        """Rows of an epoch: as declared, or as the files say; never a guess."""

    @property
    @abstractmethod
    def columns(self) -> Mapping[str, Column]:
        """The named arrays."""

    @abstractmethod
    def blocks(self, random: np.random.Generator | None) -> Iterator[Mapping[str, np.ndarray]]:
        """Read the rows of one epoch, in blocks of any length.

        Parameters
        ----------
        random
            Puts the blocks in a random order; `None` leaves rows in the order they have.

        Raises
        ------
        RowsError
            Rows can not be read, are not what they were, or have no value.
        """


def row_bytes(columns: Mapping[str, Column]) -> int:
    """Compute the bytes of one row, of all arrays together; at least one."""
    sizes = (column.dtype.itemsize * math.prod(column.shape) for column in columns.values())
    return max(1, sum(sizes))


def default_block_rows(columns: Mapping[str, Column]) -> int:
    """Compute the rows of a block; at least one."""
    return max(1, min(BLOCK_ROWS, BLOCK_BYTES // row_bytes(columns)))


def as_column(name: str, shape: tuple[int, ...], dtype: Any) -> Column:
    """Describe an array of that shape, rows included, if it holds numbers in rows.

    Raises
    ------
    RowsError
        It has no rows, or something else than numbers.
    """
    dtype = as_dtype(dtype)
    if dtype is None or dtype.kind not in _NUMBERS:
        raise RowsError(
            f"Array {name!r} holds {dtype or 'objects'}; rows are integers, floats or booleans. "
            "Turn it into numbers first, for instance by numpy.unique(..., return_inverse=True)."
        )
    if not shape:
        raise RowsError(f"Array {name!r} has no axis; its first axis must be the rows.")
    return Column(tuple(int(length) for length in shape[1:]), dtype)


def as_array(name: str, values: Any) -> np.ndarray:
    """Make a block of an array NumPy's.

    Raises
    ------
    RowsError
        It has a mask, which would be lost.
    """
    if isinstance(values, np.ma.MaskedArray):
        raise RowsError(
            f"Array {name!r} is a masked one. Missing values can not be read in blocks: drop these "
            "rows, or fill them in."
        )
    return np.asarray(values)


def as_dtype(dtype: Any) -> np.dtype | None:
    """Return NumPy's dtype of that name; `None` if NumPy has none, as for pandas' own."""
    try:
        return np.dtype(dtype)
    except TypeError:
        return None


def check_names(names: Any, what: str) -> None:
    """Refuse what is no mapping from names, or an empty one.

    Raises
    ------
    ArgumentError
        It is.
    """
    if not isinstance(names, Mapping) or not names:
        raise ArgumentError(
            f"Expected a dict of names and {what}, and at least one; got {names!r}."
        )
    for name in names:
        if not isinstance(name, str) or not name:
            raise ArgumentError(f"An array is named by a string that is not empty, got {name!r}.")


def common_rows(counts: Mapping[str, int]) -> int:
    """Return the number of rows that all arrays have.

    Raises
    ------
    RowsError
        They differ, or there are none.
    """
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name!r} has {count:,}" for name, count in counts.items())
        raise RowsError(f"All arrays must have the same number of rows, but {told}.")
    rows = next(iter(counts.values()))
    if rows < 1:
        raise RowsError(f"There are no rows in {quoted(counts)}.")
    return rows


def quoted(names: Iterable[str], most: int = 20) -> str:
    """List names for a message, not too many of them."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(name) for name in names[:most]) + more


def has_nan(array: np.ndarray) -> bool:
    """Return whether there is a NaN in an array of any dtype."""
    if array.dtype.kind != "f" or not array.size:
        return False
    # The minimum of what has a NaN is NaN: one pass, and no array of booleans.
    with np.errstate(invalid="ignore"):
        return bool(np.isnan(array.min()))


def refuse_nan(name: str, array: np.ndarray, first: int) -> None:
    """Refuse a block with a NaN in it.

    Parameters
    ----------
    name
        Of the array.
    array
        The block.
    first
        The number of its first row among all rows.

    Raises
    ------
    RowsError
        There is one; the message names the row.
    """
    if has_nan(array):
        bad = np.flatnonzero(np.isnan(array.reshape(len(array), -1)).any(axis=1))
        raise RowsError(
            f"Array {name!r} has NaN in row {first + int(bad[0]):,} (in {len(bad):,} rows of the "
            f"{len(array):,} from row {first:,} on). Missing values can not be read in blocks: "
            "drop these rows, or fill them in."
        )


def load(module: str, what: str) -> ModuleType:
    """Import a module that only rows on disk need.

    Parameters
    ----------
    module
        Its name.
    what
        What needs it.

    Raises
    ------
    ModuleNotFoundError
        It, or what it needs in turn, is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package, missing = module.partition(".")[0], str(error.name).partition(".")[0]
        lacks = "which" if missing == package else f"and that {missing}, which"
        raise ModuleNotFoundError(
            f'{what} needs {package}, {lacks} is not installed: pip install "taut[data]".',
            name=error.name,
        ) from error
