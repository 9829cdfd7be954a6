"""The rows of a fit in batches of groups: where they come from, and the shape of the batches."""

from collections.abc import Iterator
from typing import final

import numpy as np

from taut.errors import ArgumentError
from taut.marginal.grouped_model import GroupedModel
from taut.rows import (
    AbstractRows,
    GroupBatch,
    GroupShape,
    KeyCounts,
    TogetherOnDisk,
    fits_in_memory,
    group_batches,
    read_all,
    reads_apart,
    together,
)
from taut.target import Batching, RowColumn

# Rows of a batch where a user says nothing.
_ROWS = 2**16
# Groups that a batch has room for, over those that it has on average.
_SPARE = 1.25
# How often rows are read, from disk and from memory.
_PASSES, _IN_MEMORY = 4, 12


@final
class GroupedRows:
    """The rows of groups, in batches.

    Parameters
    ----------
    model
        The model on batches of groups.
    batching
        The arguments of the fit.

    Raises
    ------
    ArgumentError
        Columns of a source have other shapes than the model's data.

    Attributes
    ----------
    key
        The column of keys.
    words
        What there is.
    """

    def __init__(self, model: GroupedModel, batching: Batching) -> None:
        self._model, self._batching = model, batching
        columns = model.factors.columns
        self._names = {i: self._name(i, column) for i, column in enumerate(columns)}
        self.key = self._names[model.index]
        self._dtypes = {
            self._names[i]: column.dtype for i, column in enumerate(columns) if i != model.index
        }
        self._rows: AbstractRows | None = None
        self._counts: KeyCounts | None = None
        self._on_disk: TogetherOnDisk | None = None
        self._is_as_it_was = False
        self.words = ""

    @property
    def groups(self) -> int:
        """How many there are."""
        assert self._counts is not None
        return self._counts.groups

    @property
    def shape(self) -> GroupShape:
        """Of all batches."""
        assert self._counts is not None
        counts, size = self._counts, self._batching.batch_size
        least = 1 << (counts.largest - 1).bit_length()
        if size is not None and size < counts.largest:
            raise ArgumentError(
                f"The group with the key {counts.largest_key} has {counts.largest:,} rows, which "
                f"are read as a whole, and batch_size={size}. Give batch_size={least} or more, or "
                "leave batch_size out."
            )
        rows = min(counts.rows, max(_ROWS, least) if size is None else size)
        if self._model.is_fixed:
            return GroupShape(self._model.levels, rows)
        groups = int(np.ceil(_SPARE * rows * counts.groups / counts.rows))
        return GroupShape(min(groups, counts.groups), rows)

    def prepare(self, random: np.random.Generator) -> int:
        """Bring the rows of each group together; return how often they may be read from now on.

        Parameters
        ----------
        random
            Decides the order of groups in memory.
        """
        self._rows, passes = self._prepared(random)
        self._counts = self._counts or KeyCounts.of(self._rows, self.key)
        assert self._counts is not None
        shape = self.shape
        self.words = (
            f"{self._counts.rows:,d} rows of {self.groups:,d} groups, in batches of up to "
            f"{shape.rows:,d} rows and {shape.groups:,d} groups"
        )
        return passes

    def _prepared(self, random: np.random.Generator) -> tuple[AbstractRows, int]:
        source = self._batching.source
        if source is None:
            own = zip(self._names.values(), self._model.factors.own, strict=True)
            return together({n: np.asarray(a) for n, a in own}, self.key, random), _IN_MEMORY
        dtypes = {**self._dtypes, self.key: source.columns[self.key].dtype}
        if fits_in_memory(source, dtypes):
            arrays = dict(zip(dtypes, read_all(source, dtypes), strict=True))
            return together(arrays, self.key, random), _IN_MEMORY
        # Of other sources that would be a pass over all rows, and of an iterator the only one.
        if reads_apart(source):
            self._counts = KeyCounts.of(source, self.key)
            if self._counts is not None:
                self._is_as_it_was = True
                return source, _PASSES
        return self._sorted(source, random), _PASSES - 1

    def _sorted(self, source: AbstractRows, random: np.random.Generator) -> AbstractRows:
        # Held here, since the file is removed with it.
        self._on_disk = TogetherOnDisk(
            source, self.key, tuple(self._dtypes), int(random.integers(2**63))
        )
        return self._on_disk.rows

    @property
    def may_mix(self) -> bool:
        """Whether groups are in the order of a file, which may tell something of them."""
        return self._is_as_it_was and self._on_disk is None

    def mix(self, random: np.random.Generator) -> int:
        """Put the groups of a file in a random order; return how often they may be read then.

        Parameters
        ----------
        random
            Decides the order.
        """
        source = self._batching.source
        assert source is not None
        self._rows = self._sorted(source, random)
        return _PASSES - 1

    def read(self) -> Iterator[GroupBatch]:
        """Read all rows once."""
        assert self._rows is not None
        return group_batches(self._rows, self.key, self._dtypes, self.shape)

    def _name(self, i: int, column: RowColumn) -> str:
        """Find the name that the rows have an array by."""
        source = self._batching.source
        if source is None:
            return column.name or f"\0{i}"
        name = next(name for name in column.names if name in source.columns)
        shape = source.columns[name].shape
        if shape != column.shape and i != self._model.index:
            raise ArgumentError(
                f"A row of {name!r} has shape {shape} in rows, and {column.shape} in the model."
            )
        if i == self._model.index and shape:
            raise ArgumentError(
                f"{name!r} has shape {shape} in rows: a row has one key, of the group it is of."
            )
        return name
