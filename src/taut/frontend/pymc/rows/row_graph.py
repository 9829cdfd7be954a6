"""A model's log density on batches of rows, as a graph."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.tensor import as_tensor
from pytensor.tensor.basic import Alloc
from pytensor.tensor.math import variadic_add

from taut.errors import ArgumentError, ModelError
from taut.frontend.pymc.graph import (
    FromTable,
    ModelGraph,
    check_randomness,
    factors_with,
    given_the_observed,
    is_scaled,
    replace_loosely,
    stands_for_rows,
    total,
    with_length,
)
from taut.frontend.pymc.rows.find import Axes, RowArray, Rows, data_of, find_arrays


@dataclass(frozen=True, eq=False)
class RowGroup:
    """Log densities of batches of certain rows.

    Parameters
    ----------
    rows
        The rows, as they were when this was made.
    arrays
        What is read row by row.
    inputs
        What takes the place of these arrays, rows along the first axis.
    terms
        The variables that read them: the observed ones first, then potentials.
    factors
        The log density of each of them on the inputs, not summed.
    """

    rows: Rows
    arrays: Sequence[RowArray]
    inputs: Sequence[Any]
    terms: Sequence[Any]
    factors: Sequence[Any]

    @property
    def observed(self) -> dict[str, Any]:
        """The factors of the observed variables by name."""
        count = len(self.rows.observed)
        names = [variable.name for variable in self.terms[:count]]
        return dict(zip(names, self.factors, strict=False))

    @property
    def names(self) -> str:
        """The names of the variables, for messages."""
        return ", ".join(repr(variable.name) for variable in self.terms)


@dataclass(frozen=True, eq=False)
class RowGraph:
    """A model's log density on batches.

    Parameters
    ----------
    values
        The value variables.
    prior
        Log densities of the free variables.
    rest
        Those of all other variables that have no batches.
    groups
        Those on batches, for each set of rows.
    """

    values: list[Any]
    prior: Sequence[Any]
    rest: Sequence[Any]
    groups: Sequence[RowGroup]

    def as_model_graph(self) -> ModelGraph:
        """Sum the log prior, the likelihood of what has no batches, and that of each group."""
        sums = [
            [total(factor) for factor in factors]
            for factors in (self.prior, self.rest, *(group.factors for group in self.groups))
        ]
        terms = [variadic_add(*terms) if terms else as_tensor(0.0) for terms in sums]
        check_randomness(terms)
        return ModelGraph(self.values, terms, [], [], [list(g.inputs) for g in self.groups], [])


def read_rows(model: Any, found: Sequence[Rows], axes: Axes | None) -> RowGraph:
    """Read the graph of batches off a model.

    The arrays of rows become inputs of any length, and so do the sizes of observed variables.

    Raises
    ------
    ModelError
        A density can not be written for a part of the rows.
    ArgumentError
        A user has named data that no density reads.
    """
    lengths = [pt.lscalar("rows") for _ in found]
    variables = [*model.free_RVs, *model.observed_RVs, *model.potentials]
    factors = factors_with(model, _resized(model, found, lengths))
    whole = dict(zip(variables, factors, strict=True))
    terms = _terms(model, found, whole, axes)
    groups = [
        _group(model, rows, of_group, whole, length, axes)
        for rows, of_group, length in zip(found, terms, lengths, strict=True)
    ]
    batched = {*model.free_RVs, *(term for group in groups for term in group.terms)}
    return RowGraph(
        model.value_vars,
        [whole[rv] for rv in model.free_RVs],
        [factor for variable, factor in whole.items() if variable not in batched],
        groups,
    )


def _resized(model: Any, found: Sequence[Rows], lengths: Sequence[Any]) -> dict[Any, Any]:
    """Resize the observed variables to lengths that are not built in, without ``total_size``."""
    resized = given_the_observed(model)
    for rows, length in zip(found, lengths, strict=True):
        for rv, axis in rows.observed.items():
            new = resized.get(rv, rv)
            inner = new.owner.inputs[0] if is_scaled(new) else new
            resized[rv] = with_length(inner, model.rvs_to_values[rv], length, axis)
    return resized


def _terms(
    model: Any, found: Sequence[Rows], whole: Mapping[Any, Any], axes: Axes | None
) -> list[list[Any]]:
    """List for each set of rows what reads it; a potential that reads several stays whole."""
    terms: list[list[Any]] = [list(rows.observed) for rows in found]
    for potential in model.potentials:
        if stands_for_rows(potential):
            continue
        reads = [bool(find_arrays(model, [whole[potential]], rows, axes)) for rows in found]
        if sum(reads) == 1:
            terms[reads.index(True)].append(potential)
    return terms


def _group(
    model: Any,
    rows: Rows,
    terms: Sequence[Any],
    whole: Mapping[Any, Any],
    length: Any,
    axes: Axes | None,
) -> RowGroup:
    factors = [whole[term] for term in terms]
    arrays = find_arrays(model, factors, rows, axes)
    if not arrays:
        named = ", ".join(sorted(str(variable.name) for variable in axes or {}))
        raise ArgumentError(f"rows names {named}, of which no density reads {rows.count} rows.")
    inputs: list[Any] = [array.kind(name=array.name or None) for array in arrays]
    replace = _in_place_of(arrays, inputs)
    count = inputs[0].shape[0]
    replace |= {length: count} | {model.dim_lengths[dim]: count for dim in rows.dims}
    try:
        replaced = replace_loosely(factors, replace, _of_length(rows.count, count))
        on_inputs = [as_tensor(factor, allow_xtensor_conversion=True) for factor in replaced]
    except (TypeError, ValueError) as error:
        names = ", ".join(repr(term.name) for term in terms)
        raise ModelError(
            f"{names} can not be written for a part of the {rows.count} rows: "
            f"{str(error).splitlines()[0]}"
        ) from error
    return RowGroup(rows, arrays, inputs, terms, on_inputs)


def _of_length(rows: int, length: Any) -> Callable[[Apply, list[Any]], list[Any]]:
    """Let what is filled up to all rows be filled up to those of the batch."""

    def change_inputs(node: Apply, inputs: list[Any]) -> list[Any]:
        if isinstance(node.op, Alloc):
            sizes = [getattr(size, "data", None) for size in inputs[1:]]
            if rows in sizes:
                axis = 1 + sizes.index(rows)
                return [*inputs[:axis], length, *inputs[axis + 1 :]]
        return inputs

    return change_inputs


def _in_place_of(arrays: Sequence[RowArray], inputs: Sequence[Any]) -> dict[Any, Any]:
    """Return what takes the place of each array; that of a sparse matrix is made of two inputs."""
    replace: dict[Any, Any] = {}
    parts: dict[Any, Any] = {}
    for array, row in zip(arrays, inputs, strict=True):
        variable = array.variable
        if array.part is None:
            replace[variable] = pt.moveaxis(row, 0, array.axis) if array.axis else row
        elif variable in parts:
            made = FromTable(variable.type, data_of(variable).shape[1])
            replace[variable] = made(parts[variable], row)
        else:
            parts[variable] = row
    return replace
