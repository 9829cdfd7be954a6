"""A model's density on data sets of different lengths: rows are filled up, and weighted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytensor
import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.traversal import ancestors
from pytensor.tensor.math import variadic_add

from taut.errors import ModelError
from taut.frontend.pymc.graph import ModelGraph, check_randomness, total
from taut.frontend.pymc.rows.find import Axes, Rows
from taut.frontend.pymc.rows.row_graph import RowGraph, RowGroup, read_rows


@dataclass(frozen=True, eq=False)
class PaddedGraph:
    """A model's log density on rows that are filled up.

    Parameters
    ----------
    rows
        The density on batches, of which one is all rows of a data set.
    graph
        The log prior and the log likelihood of weighted rows. Each group of rows comes as its
        arrays and, last, the weight of each row.
    left_out
        Deterministic variables that have a value for each row, or are made of these.
    """

    rows: RowGraph
    graph: ModelGraph
    left_out: tuple[str, ...]


def read_padded(
    model: Any, whole: ModelGraph, found: Sequence[Rows], axes: Axes | None
) -> PaddedGraph:
    r"""Read the graph of weighted rows off a model.

    .. math:: \log p(y \mid z) = \ell_0 + \sum_g \sum_i w_{gi} \log p(y_{gi} \mid z)

    with a weight of 1 for each row of a data set, and of 0 for what fills it up.

    Parameters
    ----------
    model
        The model.
    whole
        Its graphs with its own data.
    found, axes
        Which data have rows.

    Raises
    ------
    ModelError
        The density is no sum over rows, or the prior reads them.
    """
    rows = read_rows(model, found, axes)
    weights = [pt.vector("weights", dtype=pytensor.config.floatX) for _ in rows.groups]
    sums = [total(factor) for factor in rows.rest]
    for group, of_group in zip(rows.groups, weights, strict=True):
        sums += _weighted(group, of_group)
    prior = variadic_add(*(total(factor) for factor in rows.prior))
    terms = [prior, variadic_add(*sums) if sums else pt.as_tensor(0.0)]
    check_randomness(terms)
    batch = [[*g.inputs, w] for g, w in zip(rows.groups, weights, strict=True)]
    arrays = {array.variable for group in rows.groups for array in group.arrays}
    _check_prior(model, terms, arrays)
    by_row = arrays | {model.dim_lengths[dim] for one in found for dim in one.dims}
    graph, left_out = _without(whole, by_row)
    return PaddedGraph(rows, replace(graph, terms=terms, batch=batch), left_out)


def _weighted(group: RowGroup, weights: Any) -> list[Any]:
    """Sum the terms of a group, each row by its weight."""
    sums = []
    for term, factor in zip(group.terms, group.factors, strict=True):
        axis = group.rows.observed.get(term, 0)
        if factor.type.ndim <= axis:
            raise ModelError(
                f"{term.name!r} is one number for all rows of a data set, so that rows which fill "
                "it up can not be left out of it. Write it with an element for each row."
            )
        shape = [-1 if i == axis else 1 for i in range(factor.type.ndim)]
        sums.append((factor * weights.reshape(shape)).sum())
    return sums


def _check_prior(model: Any, terms: Sequence[Any], arrays: set[Any]) -> None:
    """Refuse a model whose prior, or what has no rows, reads data with rows too."""
    read = {v.name for v in ancestors(terms) if v in arrays and isinstance(v, SharedVariable)}
    if read:
        named = ", ".join(map(repr, sorted(map(str, read))))
        raise ModelError(
            f"{named} has rows, and decides more than the likelihood of these: data sets of other "
            "lengths can not be filled up. Give the model two data, one of them without rows."
        )


def _without(whole: ModelGraph, by_row: set[Any]) -> tuple[ModelGraph, tuple[str, ...]]:
    """Leave out what has a value for each row."""
    reads = [not by_row.isdisjoint(ancestors([one])) for one in whole.constrained]
    kept = [i for i, one in enumerate(reads) if not one]
    known = by_row.isdisjoint(ancestors(whole.moments))
    graph = replace(
        whole,
        names=[whole.names[i] for i in kept],
        constrained=[whole.constrained[i] for i in kept],
        minibatches=[],
        factors=[],
        conditionals=whole.conditionals if known else [],
        moments=whole.moments if known else [],
    )
    return graph, tuple(whole.names[i] for i, one in enumerate(reads) if one)
