"""Rows that an iterable gives: a generator, a reader of some other format."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, final

import numpy as np

from taut.arguments import as_positive
from taut.errors import ArgumentError, RowsError
from taut.rows.base import (
    AbstractRows,
    Column,
    as_array,
    as_column,
    check_names,
    quoted,
    refuse_nan,
)

_AGAIN = "give a function that makes a new iterator at each call"


@final
class IterableRows(AbstractRows):
    """Rows of an iterable of dicts of arrays, which is gone through once an epoch.

    Its blocks keep their order in every epoch. Rows are shuffled within the shuffle buffer alone,
    so rows that are sorted should be put in a random order once, where they come from.

    Parameters
    ----------
    blocks
        An iterable of dicts of arrays, equally long along the first axis; or a function without
        arguments that makes one. An iterator serves a single epoch. The first block is read at
        once, to know the arrays, and again with the first epoch.
    rows
        Rows of all blocks together.

    Raises
    ------
    ArgumentError
        `blocks` is neither an iterable nor a function, or `rows` is not positive.
    RowsError
        A block is no dict of arrays of numbers. While rows are read: blocks are not alike, have
        NaN, or have more or fewer rows than declared; or there is a second epoch of an iterator.

    Examples
    --------
    >>> import numpy as np
    >>> from taut.rows import IterableRows
    >>> def blocks():
    ...     for start in range(0, 10, 4):
    ...         yield {"y": np.arange(start, min(start + 4, 10))}
    >>> source = IterableRows(blocks, rows=10)
    >>> [len(block["y"]) for block in source.blocks(random=None)]
    [4, 4, 2]
    """

    def __init__(
        self,
        blocks: Iterable[Mapping[str, Any]] | Callable[[], Iterable[Mapping[str, Any]]],
        *,
        rows: int,
    ) -> None:
        self._source, self._rows, self._epochs = blocks, as_positive("rows", rows), 0
        iterator = self._iterator()
        first = _next(iterator, 0)
        if first is None:
            raise RowsError(f"The iterable gave no block, but {rows:,} rows were declared.")
        self._columns = _columns(first)
        # An iterator can not be gone through again: its first block is kept for the only epoch.
        self._only = (first, iterator) if iterator is blocks else None

    @property
    def rows(self) -> int:
        return self._rows

    @property
    def columns(self) -> Mapping[str, Column]:
        return self._columns

    @property
    def serves_once(self) -> bool:
        """Whether it is an iterator, whose blocks are gone when they have been looked at."""
        return self._only is not None

    def blocks(self, random: np.random.Generator | None) -> Iterator[Mapping[str, np.ndarray]]:
        given, number = 0, 0
        for number, block in enumerate(self._epoch()):
            arrays = self._arrays(block, number, given)
            given += len(next(iter(arrays.values())))
            if given > self._rows:
                raise RowsError(
                    f"{self._rows:,} rows were declared, but with block {number} the iterable has "
                    f"given {given:,}. Declare rows={given:,} or more, or have it end there."
                )
            yield arrays
        if given < self._rows:
            raise RowsError(
                f"{self._rows:,} rows were declared, but the iterable ended after block {number} "
                f"with {given:,}. Declare as many rows as it gives in each epoch; if it gives "
                f"fewer the second time, {_AGAIN}."
            )

    def _epoch(self) -> Iterator[Any]:
        self._epochs += 1
        if self._only is None:
            iterator = self._iterator()
        elif self._epochs == 1:
            first, iterator = self._only
            self._only = (None, iterator)
            yield first
        else:
            raise RowsError(
                f"The rows come from an iterator ({type(self._source).__name__}), which serves one "
                f"epoch of {self._rows:,} rows, and epoch {self._epochs} is asked for: {_AGAIN}."
            )
        number = 1 if self._only else 0
        while (block := _next(iterator, number)) is not None:
            yield block
            number += 1

    def _iterator(self) -> Iterator[Any]:
        blocks = self._source
        if callable(blocks) and not isinstance(blocks, Iterable):
            blocks = _blame(blocks, "a first block")
        try:
            return iter(blocks)
        except TypeError:
            raise ArgumentError(
                "Expected an iterable of dicts of arrays, or a function that makes one, got "
                f"{type(blocks).__name__}."
            ) from None

    def _arrays(self, block: Any, number: int, first: int) -> dict[str, np.ndarray]:
        """Check a block against the first one, and leave out arrays that one did not have."""
        arrays = _as_arrays(block, number)
        missing = [name for name in self._columns if name not in arrays]
        if missing:
            raise RowsError(
                f"Block {number} of the iterable has no {quoted(missing)}; the first block had "
                f"{quoted(self._columns)}, and every block must."
            )
        for name, column in self._columns.items():
            _check_like(name, arrays[name], column, number)
            refuse_nan(name, arrays[name], first)
        return {name: arrays[name] for name in self._columns}


def _next(iterator: Iterator[Any], number: int) -> Any:
    """Return the next block; `None` at the end."""
    return _blame(lambda: next(iterator, None), f"block {number}")


def _blame(call: Callable[[], Any], wanted: str) -> Any:
    """Call what the user wrote; say so if it fails."""
    try:
        return call()
    except RowsError:
        raise
    except Exception as error:
        raise RowsError(
            f"The iterable raised {type(error).__name__} instead of {wanted}: {error}"
        ) from error


def _columns(first: Any) -> dict[str, Column]:
    arrays = _as_arrays(first, 0)
    return {name: as_column(name, array.shape, array.dtype) for name, array in arrays.items()}


def _as_arrays(block: Any, number: int) -> dict[str, np.ndarray]:
    """Turn a block into arrays that are equally long."""
    try:
        check_names(block, "arrays")
    except ArgumentError as error:
        raise RowsError(f"Block {number} of the iterable: {error}") from None
    arrays = {name: as_array(name, array) for name, array in block.items()}
    if any(array.ndim == 0 for array in arrays.values()):
        raise RowsError(f"Block {number} of the iterable has a scalar; rows are the first axis.")
    if len({len(array) for array in arrays.values()}) > 1:
        told = ", ".join(f"{name!r} has {len(array):,}" for name, array in arrays.items())
        raise RowsError(
            f"Arrays of a block must have the same number of rows, but in block {number} of the "
            f"iterable {told}."
        )
    return arrays


def _check_like(name: str, array: np.ndarray, column: Column, number: int) -> None:
    if array.shape[1:] != column.shape or array.dtype.kind != column.dtype.kind:
        raise RowsError(
            f"Block {number} of the iterable has {name!r} with rows of shape {array.shape[1:]} and "
            f"type {array.dtype}; in the first block they had {column.shape} and {column.dtype}. "
            "All blocks must be alike."
        )
