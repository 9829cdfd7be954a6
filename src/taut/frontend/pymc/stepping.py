"""From the arguments of a fit to what its steps read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
import pytensor

from taut.batches import (
    AbstractFeed,
    AbstractRows,
    CircleFeed,
    Endless,
    Partition,
    RandomRows,
    ScaledRows,
    Stream,
)
from taut.errors import ArgumentError, warn
from taut.frontend.batching import Batching, Stepping, Streamed
from taut.frontend.pymc.blame import Blame
from taut.frontend.pymc.lift import LiftedModel, Terms, lift, on_device
from taut.frontend.pymc.pointwise import row_factors
from taut.frontend.pymc.row_check import check_epoch
from taut.frontend.pymc.row_graph import RowGraph, as_model_graph, read_rows
from taut.frontend.pymc.rows import RowGroup, data_names, find_groups
from taut.space import Space
from taut.target import Target


@dataclass(eq=False)
class RowBatches:
    """What is built for the batches of a model, once for each set of arrays with rows."""

    _graphs: dict[Any, RowGraph] = field(default_factory=dict)
    _lifted: dict[Any, LiftedModel] = field(default_factory=dict)

    def graph(
        self, model: Any, groups: Sequence[RowGroup], check: Callable[[RowGraph], None]
    ) -> RowGraph:
        """Give the graph, checked when it was made."""
        key = _key(groups)
        if key not in self._graphs:
            graph = read_rows(model, groups)
            check(graph)
            self._graphs[key] = graph
        return self._graphs[key]

    def lifted(
        self, model: Any, graph: RowGraph, partitions: Sequence[Partition], shapes: Any
    ) -> LiftedModel:
        """Give the JAX function for groups that are ragged or not."""
        ragged = tuple(partition.is_ragged for partition in partitions)
        key = id(graph), ragged
        if key not in self._lifted or not self._lifted[key].is_current():
            batch = [_example(g, p.width) for g, p in zip(graph.groups, partitions, strict=True)]
            self._lifted[key] = lift(model, as_model_graph(graph, ragged), shapes, batch)
        return self._lifted[key]


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
        The arguments of the fit.
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

    def stepping(self, start: np.ndarray, random_seed: int) -> Stepping | None:
        """Give what the steps read; `None` where a batch would hold all rows."""
        groups, partitions = self._groups()
        if not groups:
            return None
        space: Space = self.whole.space

        def check(graph: RowGraph) -> None:
            check_epoch(self.model, graph, self.blame, space, start, random_seed)

        graph = self.kept.graph(self.model, groups, check)
        shapes = [slot.shape for slot in space]
        with self.whole.precision():
            lifted = self.kept.lifted(self.model, graph, partitions, shapes)
            target = Target(
                Terms(lifted, space),
                space,
                lifted.arrays(),
                labels=self.whole.labels,
                dtype=self.whole.dtype,
                programs=self.whole.programs,
            )
            feed = self._feed(groups, partitions, random_seed, self.batching.shuffle)
        assert self.batching.batch_size is not None
        scale = max(p.rows / min(self.batching.batch_size, p.rows) for p in partitions)
        streamed = None
        if self.batching.source is not None:
            streamed = Streamed(
                target, partitions[0],
                lambda: self._feed(groups, partitions, 0, shuffle=False),
                lambda: row_factors(self.model, space, graph),
            )  # fmt: skip
        return Stepping(target, feed, scale, streamed)

    def _groups(self) -> tuple[list[RowGroup], list[Partition]]:
        size, source = self.batching.batch_size, self.batching.source
        assert size is not None
        if source is not None:
            groups = find_groups(self.model, 0, dict.fromkeys(source.columns, 0))
            _check_source(self.model, source, groups)
            return groups, [Partition.of(source.rows, _at_most(size, source.rows))]
        assert not isinstance(self.batching.rows, AbstractRows)
        groups = find_groups(self.model, size, self.batching.rows)
        if not groups:
            _warn_whole(self.model, size)
        return groups, [Partition.of(group.rows, size) for group in groups]

    def _feed(
        self,
        groups: Sequence[RowGroup],
        partitions: Sequence[Partition],
        random_seed: int,
        shuffle: bool,
    ) -> AbstractFeed:
        dtype, source = self.whole.dtype, self.batching.source
        if source is not None:
            return Stream(
                source, self._dtypes(groups[0]), partitions[0],
                shuffle=shuffle, random_seed=random_seed, dtype=dtype,
            )  # fmt: skip
        arrays = tuple(tuple(array.values() for array in group.arrays) for group in groups)
        if not self.batching.replace:
            return CircleFeed(
                arrays, tuple(partitions),
                shuffle=shuffle, random_seed=random_seed, dtype=dtype,
            )  # fmt: skip
        size = self.batching.batch_size
        assert size is not None
        rows = RandomRows(
            tuple(tuple(map(on_device, group)) for group in arrays), (size,) * len(groups)
        )
        scales = tuple(np.asarray(group.rows / size, dtype) for group in groups)
        return Endless(ScaledRows(rows, scales))

    def _dtypes(self, group: RowGroup) -> dict[str, np.dtype]:
        """Give the type of each array of a source, in the order of the graph's inputs."""
        source = self.batching.source
        assert source is not None
        named = {data_names(self.model)[name]: name for name in source.columns}
        return {named[a.variable]: np.dtype(a.variable.type.dtype) for a in group.arrays}


def _key(groups: Sequence[RowGroup]) -> Any:
    return tuple(
        (*(term.name for term in g.terms), *((id(a.variable), a.axis) for a in g.arrays))
        for g in groups
    )


def _example(group: RowGroup, width: int) -> list[Any]:
    arrays = [
        jax.ShapeDtypeStruct((width, *array.values().shape[1:]), array.variable.type.dtype)
        for array in group.arrays
    ]
    scale = jax.ShapeDtypeStruct((), pytensor.config.floatX)
    return [*arrays, jax.ShapeDtypeStruct((), bool), scale]


def _at_most(batch_size: int, rows: int) -> int:
    if batch_size > rows:
        warn(f"batch_size={batch_size} is more than the {rows} rows; each step uses all of them.")
    return min(batch_size, rows)


def _warn_whole(model: Any, batch_size: int) -> None:
    names = ", ".join(rv.name for rv in model.observed_RVs) or "none"
    warn(
        f"batch_size={batch_size} is not less than the rows of any observed variable ({names}); "
        "each step uses all rows."
    )


def _check_source(model: Any, source: AbstractRows, groups: Sequence[RowGroup]) -> None:
    """Compare what a source has with what the model reads."""
    if len(groups) != 1:
        listed = "; ".join(f"{group.names} with {group.rows} rows" for group in groups) or "none"
        raise ArgumentError(
            "A source of rows feeds the variables observed by one set of rows; its names "
            f"({', '.join(source.columns)}) belong to {listed}. Name the data of one observed "
            "variable and all that goes with it."
        )
    known, read = data_names(model), {array.variable: array for array in groups[0].arrays}
    for name, column in source.columns.items():
        if known[name] not in read:
            raise ArgumentError(
                f"The source has {name!r}, which the density of {groups[0].names} does not read. "
                "Leave it out of the source."
            )
        shape = read[known[name]].values().shape[1:]
        if column.shape != shape:
            raise ArgumentError(
                f"A row of {name!r} has shape {column.shape} in the source and {shape} in the "
                "model."
            )
