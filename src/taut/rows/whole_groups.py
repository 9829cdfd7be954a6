"""Batches of whole groups, all of one shape."""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float, Int

from taut.errors import RowsError
from taut.rows.base import AbstractRows
from taut.rows.casting import cast
from taut.rows.key_counts import runs

Arrays = Mapping[str, np.ndarray]


@final
@dataclass(frozen=True)
class GroupShape:
    """The shape that all batches have.

    Parameters
    ----------
    groups, rows
        How many there are at most.
    """

    groups: int
    rows: int


@final
@dataclass(frozen=True, eq=False)
class GroupBatch:
    """Some groups with all of their rows, filled up to a shape.

    Parameters
    ----------
    arrays
        The rows; what fills them up are copies of the last one.
    index
        The group of each row, numbered from 0.
    weights
        1 for a row, 0 for what fills them up.
    is_group
        Whether there is a group of each number.
    keys
        Those of the groups there are.
    """

    arrays: Arrays
    index: Int[np.ndarray, " rows"]
    weights: Float[np.ndarray, " rows"]
    is_group: Bool[np.ndarray, " groups"]
    keys: np.ndarray

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self.keys)

    @classmethod
    def of(
        cls, rows: Arrays, keys: np.ndarray, sizes: np.ndarray, shape: GroupShape
    ) -> "GroupBatch":
        """Fill rows up.

        Parameters
        ----------
        rows
            Those of the groups, one group after another.
        keys, sizes
            Of the groups.
        shape
            What is filled up to.
        """
        count = int(sizes.sum())
        numbers = np.minimum(np.arange(shape.rows), count - 1)
        index = np.repeat(np.arange(len(keys), dtype=np.int32), sizes)[numbers]
        return cls(
            {name: array[numbers] for name, array in rows.items()},
            index,
            (np.arange(shape.rows) < count).astype(float),
            np.arange(shape.groups) < len(keys),
            keys,
        )


def group_batches(
    source: AbstractRows, key: str, dtypes: Mapping[str, np.dtype], shape: GroupShape
) -> Iterator[GroupBatch]:
    """Read all rows once, in batches of whole groups.

    Parameters
    ----------
    source
        Rows of which those of a group are together.
    key
        The column of keys.
    dtypes
        The other columns that are wanted, and the type each is cast to.
    shape
        Of a batch.

    Raises
    ------
    RowsError
        Rows can not be read or cast, are not as many as there were, or a group has more rows than a
        batch.
    """
    held: dict[str, np.ndarray] = {}
    seen = 0
    for block in source.blocks(None):
        if not len(block[key]):
            continue
        new = {name: cast(name, block[name], dtype) for name, dtype in dtypes.items()}
        new["\0key"] = block[key]
        seen += len(block[key])
        held = {n: np.concatenate([held[n], a]) for n, a in new.items()} if held else new
        if len(held["\0key"]) > shape.rows:
            held = yield from _batches(held, shape, is_last=False)
    if held:
        yield from _batches(held, shape, is_last=True)
    if seen != source.rows:
        raise RowsError(
            f"An epoch has {source.rows:,} rows, but {type(source).__name__} gave {seen:,}."
        )


def _batches(
    held: dict[str, np.ndarray], shape: GroupShape, *, is_last: bool
) -> Generator[GroupBatch, None, dict[str, np.ndarray]]:
    """Make batches of the groups that are whole; return the rows that are left."""
    keys, sizes = runs(held["\0key"])
    ends = np.cumsum(sizes)
    arrays = {name: array for name, array in held.items() if name != "\0key"}
    # More rows of the last group may come.
    whole = len(keys) if is_last else len(keys) - 1
    first = 0
    while first < whole:
        begin = ends[first] - sizes[first]
        stop = int(np.searchsorted(ends, begin + shape.rows, side="right"))
        stop = min(stop, first + shape.groups, whole)
        if stop == first:
            raise _too_large(keys[first], int(sizes[first]), shape)
        is_full = stop < whole or stop - first == shape.groups
        if not (is_full or is_last):
            break
        part = {name: array[begin : ends[stop - 1]] for name, array in arrays.items()}
        yield GroupBatch.of(part, keys[first:stop], sizes[first:stop], shape)
        first = stop
    if first == len(keys):
        return {}
    begin = ends[first] - sizes[first]
    if sizes[first] > shape.rows:
        raise _too_large(keys[first], int(sizes[first]), shape)
    return {name: array[begin:] for name, array in held.items()}


def _too_large(key: object, rows: int, shape: GroupShape) -> RowsError:
    least = 1 << (rows - 1).bit_length()
    return RowsError(
        f"The group with the key {key} has {rows:,} rows or more, and a batch holds "
        f"{shape.rows:,}. A group is read as a whole: give batch_size={least} or more, or leave "
        "batch_size out."
    )
