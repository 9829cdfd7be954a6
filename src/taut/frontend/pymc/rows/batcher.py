"""From the arguments of a fit to what its steps read."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from taut.batches import (
    AbstractFeed,
    ConstantFeed,
    EpochFeed,
    LazyFeed,
    RandomRows,
    ScaledRows,
    Stream,
)
from taut.engine import Devices, Kept, Same
from taut.errors import ArgumentError, ModelError, warn
from taut.frontend.pymc import Blame
from taut.frontend.pymc.graph import is_sparse
from taut.frontend.pymc.lift import LiftedModel, on_device
from taut.frontend.pymc.lift.lift import lift
from taut.frontend.pymc.rows.batch_terms import BatchTerms
from taut.frontend.pymc.rows.check_epoch import check_epoch
from taut.frontend.pymc.rows.find import Axes, Rows, data_names, data_of, find_rows, told_axes
from taut.frontend.pymc.rows.pointwise import row_factors
from taut.frontend.pymc.rows.row_graph import RowGraph, RowGroup, read_rows
from taut.frontend.pymc.rows.spread_target import in_parts, spread_target
from taut.rows import AbstractRows, Partition, fits_in_memory, read_all
from taut.target import Batching, Space, StepData, StreamedRows, Target

# Sets of data with rows whose graphs are kept.
_MOST = 16


@dataclass(eq=False)
class RowBatches:
    """What is built for the batches of a model, once for each set of data with rows."""

    _graphs: Kept[Any, RowGraph] = field(default_factory=lambda: Kept(_MOST))
    _lifted: Kept[RowGraph, LiftedModel] = field(default_factory=lambda: Kept(_MOST))

    def graph(
        self,
        model: Any,
        found: Sequence[Rows],
        axes: Axes | None,
        check: Callable[[RowGraph], None],
    ) -> RowGraph:
        """Return the graph, checked when it was made."""

        def build() -> RowGraph:
            graph = read_rows(model, found, axes)
            check(graph)
            return graph

        return self._graphs(_key(model, found, axes), build)

    def lifted(self, model: Any, graph: RowGraph, shapes: Any) -> LiftedModel:
        """Return the graph as a JAX function, of batches of any length."""

        def build() -> LiftedModel:
            batch = [_two_rows(group) for group in graph.groups]
            return lift(model, graph.as_model_graph(), shapes, batch)

        return self._lifted(graph, build, lambda known: known.is_current())


@dataclass(frozen=True)
class Batcher:
    """Makes the steps of one fit of a model.

    Parameters
    ----------
    model
        The model.
    whole
        Its target with all rows.
    batching
        The arguments of the fit, with a `batch_size`.
    kept
        What is built once.
    blame
        Evaluates the model's densities on all rows.
    """

    model: Any
    whole: Target
    batching: Batching
    kept: RowBatches
    blame: Blame

    def stepping(self, start: np.ndarray, random_seed: int) -> StepData | None:
        """Return what the steps read; `None` where a batch would hold all rows."""
        source, size = self.batching.source, self._size
        found = find_rows(self.model, 0 if source else size, self._axes())
        if not found:
            _warn_whole(self.model, size)
            return None
        graph = self._graph(found, start, random_seed)
        if source is not None:
            _check_source(self.model, source, graph)
        counts = [source.rows] if source else [rows.count for rows in found]
        partitions = [Partition.of(count, min(size, count)) for count in counts]
        return self._stepping(graph, partitions, random_seed)

    def spread(self, start: np.ndarray, random_seed: int) -> Target:
        """Return the density of all rows, spread over devices.

        Raises
        ------
        ModelError
            The density is no sum over rows, or JAX can not evaluate it.
        """
        devices = self.batching.devices
        assert devices is not None
        found = find_rows(self.model, 0, self._axes())
        if not found:
            raise ModelError(
                f"devices spreads rows over {devices.count} devices, and no observed variable of "
                "the model has rows. Leave devices out."
            )
        graph = self._graph(found, start, random_seed)
        with self.whole.precision():
            return spread_target(self._target(graph), graph, devices)

    def _graph(self, found: Sequence[Rows], start: np.ndarray, random_seed: int) -> RowGraph:
        check = lambda graph: self._check(graph, start, random_seed)  # noqa: E731
        return self.kept.graph(self.model, found, self._axes(), check)

    @property
    def _size(self) -> int:
        assert self.batching.batch_size is not None
        return self.batching.batch_size

    def _axes(self) -> Axes | None:
        rows = self.batching.rows
        if rows is None:
            return None
        told = dict.fromkeys(rows.columns, 0) if isinstance(rows, AbstractRows) else rows
        return told_axes(self.model, told)

    def _check(self, graph: RowGraph, start: np.ndarray, random_seed: int) -> None:
        check_epoch(self.model, graph, self.blame, self.whole.space, start, random_seed)

    def _stepping(
        self, graph: RowGraph, partitions: Sequence[Partition], random_seed: int
    ) -> StepData:
        space: Space = self.whole.space
        with self.whole.precision():
            alone = target = self._target(graph, tuple(one.is_ragged for one in partitions))
            if self.batching.devices is not None:
                target = in_parts(alone, partitions, self.batching.devices)
            if self.batching.source is None:
                feed, streamed = self._feed(graph, partitions, random_seed), None
            else:
                [group], [partition] = graph.groups, partitions
                _warn_many(self._size, partition.rows)
                begin = self._reader(self.batching.source, group, partition)
                feed = begin(self.batching.shuffle, random_seed, self.batching.devices)
                # What is asked of all rows afterwards takes one device.
                streamed = StreamedRows(
                    alone,
                    partition,
                    lambda: begin(False, random_seed),
                    lambda: row_factors(self.model, space, graph),
                )
        scale = max(p.rows / min(self._size, p.rows) for p in partitions)
        return StepData(target, feed, scale, streamed)

    def _target(self, graph: RowGraph, ragged: tuple[bool, ...] = ()) -> Target:
        """Make the target of batches, of groups some of which lack a last row."""
        space = self.whole.space
        lifted = self.kept.lifted(self.model, graph, [slot.shape for slot in space])
        return Target(
            BatchTerms(lifted, space, ragged),
            space,
            lifted.arrays(),
            labels=self.whole.labels,
            dtype=self.whole.dtype,
            programs=self.whole.programs,
            circular=self.whole.circular,
        )

    def _feed(
        self, graph: RowGraph, partitions: Sequence[Partition], random_seed: int
    ) -> AbstractFeed:
        """Feed the rows of the model's own data."""
        dtype, shuffle = self.whole.dtype, self.batching.shuffle
        groups = tuple(tuple(a.values() for a in group.arrays) for group in graph.groups)
        if not self.batching.replace:
            return EpochFeed(
                groups, tuple(partitions), shuffle=shuffle, random_seed=random_seed, dtype=dtype,
                devices=self.batching.devices,
            )  # fmt: skip
        sizes = (self._size,) * len(groups)
        rows = RandomRows(tuple(tuple(map(on_device, group)) for group in groups), sizes)
        scales = tuple(np.asarray(p.rows / self._size, dtype) for p in partitions)
        return ConstantFeed(ScaledRows(rows, scales))

    def _reader(
        self, source: AbstractRows, group: RowGroup, partition: Partition
    ) -> Callable[..., AbstractFeed]:
        """Return a function that begins a feed of a source's rows.

        Shuffled or not, by a seed, and on some devices.
        """
        # In the order of the graph's inputs.
        named = {data_names(self.model)[name]: name for name in source.columns}
        dtypes = {named[a.variable]: np.dtype(a.variable.type.dtype) for a in group.arrays}
        dtype = self.whole.dtype
        if not fits_in_memory(source, dtypes):
            if self.batching.devices is not None:
                raise ArgumentError(
                    f"The {source.rows:,d} rows of the source are more than memory is taken for, "
                    "and rows that are read as steps need them are not spread over devices. Leave "
                    "devices out."
                )
            return lambda shuffle, random_seed, _=None: Stream(
                source, dtypes, partition, shuffle=shuffle, random_seed=random_seed, dtype=dtype
            )
        read = functools.cache(lambda: (read_all(source, dtypes),))

        # Rows in their order are put on the device once, for all that pass over them.
        @functools.cache
        def in_order() -> AbstractFeed:
            return EpochFeed(read(), (partition,), shuffle=False, random_seed=0, dtype=dtype)

        def begin(shuffle: bool, random_seed: int, devices: Devices | None = None) -> AbstractFeed:
            if not shuffle and devices is None:
                return in_order()
            return EpochFeed(
                read(), (partition,), shuffle=shuffle, random_seed=random_seed, dtype=dtype,
                devices=devices,
            )  # fmt: skip

        return lambda *order: LazyFeed(lambda: begin(*order))


def _key(model: Any, found: Sequence[Rows], axes: Axes | None) -> Any:
    """Describe what decides a graph: the variables and the data with rows, not how many rows."""
    shapes = {name: np.shape(data_of(data)) for name, data in data_names(model).items()}
    counts = [rows.count for rows in found]
    with_rows = tuple(
        (name, axis, counts.index(length))
        for name, shape in shapes.items()
        for axis, length in enumerate(shape)
        if length in counts
    )
    told = axes and tuple((Same(variable), axis) for variable, axis in axes.items())
    observed = tuple(tuple(rv.name for rv in rows.observed) for rows in found)
    return observed, with_rows, told


def _two_rows(group: RowGroup) -> list[jax.ShapeDtypeStruct]:
    """Describe a small batch, in the types that this precision has."""
    return [
        jax.ShapeDtypeStruct(
            (2, *array.values().shape[1:]),
            jax.dtypes.canonicalize_dtype(array.kind.dtype),
        )
        for array in group.arrays
    ]


def _warn_many(batch_size: int, rows: int) -> None:
    if batch_size > rows:
        warn(f"batch_size={batch_size} is more than the {rows} rows; each step uses all of them.")


def _warn_whole(model: Any, batch_size: int) -> None:
    names = ", ".join(rv.name for rv in model.observed_RVs) or "none"
    warn(
        f"batch_size={batch_size} is not less than the rows of any observed variable ({names}); "
        "each step uses all rows."
    )


def _check_source(model: Any, source: AbstractRows, graph: RowGraph) -> None:
    """Compare what a source has with what the model reads."""
    if len(graph.groups) > 1:
        listed = "; ".join(f"{g.names} with {g.rows.count} rows" for g in graph.groups)
        raise ArgumentError(
            "A source of rows feeds the variables observed by one set of rows; its names "
            f"({', '.join(source.columns)}) belong to {listed}. Name the data of one observed "
            "variable and all that goes with it, each with the same number of rows in the model."
        )
    [group] = graph.groups
    known, read = data_names(model), {array.variable: array for array in group.arrays}
    for name, column in source.columns.items():
        if known[name] not in read:
            raise ArgumentError(
                f"The source has {name!r}, which the density of {group.names} does not read. "
                "Leave it out of the source."
            )
        if is_sparse(known[name]):
            raise ArgumentError(
                f"{name!r} is a sparse matrix, which no source of rows can feed. Declare it as a "
                "dense array in the model, or give the model all rows and leave the source out."
            )
        shape = read[known[name]].values().shape[1:]
        if column.shape != shape:
            raise ArgumentError(
                f"A row of {name!r} has shape {column.shape} in the source and {shape} in the "
                "model."
            )
