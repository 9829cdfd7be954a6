"""A model's log density on batches of rows, as a graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytensor
import pytensor.tensor as pt
from pytensor.tensor import as_tensor
from pytensor.tensor.math import variadic_add

from taut.errors import ModelError
from taut.frontend.pymc.graph import ModelGraph, check_randomness, total
from taut.frontend.pymc.loosen import replace_loosely
from taut.frontend.pymc.minibatch import factors_with, is_scaled, with_length
from taut.frontend.pymc.rows import RowArray, RowGroup


@dataclass(frozen=True, eq=False)
class RowGraph:
    """A model's density on batches of some groups of rows.

    Parameters
    ----------
    groups
        The groups.
    inputs
        For each group the inputs that take the place of its arrays, rows along the first axis.
    factors
        For each group the log density of each of its terms on those inputs, summed.
    pointwise
        For each group the same of its observed variables, not summed.
    rest
        Log densities of all other variables, those of the free variables first.
    free
        How many of these are of free variables.
    values
        The value variables.
    """

    groups: Sequence[RowGroup]
    inputs: Sequence[Sequence[Any]]
    factors: Sequence[Sequence[Any]]
    pointwise: Sequence[Sequence[Any]]
    rest: Sequence[Any]
    free: int
    values: list[Any]


def read_rows(model: Any, groups: Sequence[RowGroup]) -> RowGraph:
    """Read the graph of batches off a model.

    The arrays of rows become inputs of any length, and so do the sizes of observed variables.
    """
    lengths = [pt.lscalar("rows") for _ in groups]
    resized = {
        rv: with_length(_unscaled(rv), model.rvs_to_values[rv], length, axis)
        for group, length in zip(groups, lengths, strict=True)
        for rv, axis in group.observed.items()
    }
    variables = [*model.free_RVs, *model.observed_RVs, *model.potentials]
    whole = dict(zip(variables, factors_with(model, resized), strict=True))
    inputs = [[_input_for(array) for array in group.arrays] for group in groups]
    on_inputs = [
        _on_inputs(model, group, [whole[term] for term in group.terms], of_group, length)
        for group, of_group, length in zip(groups, inputs, lengths, strict=True)
    ]
    batched = {term for group in groups for term in group.terms}
    return RowGraph(
        groups,
        inputs,
        [list(map(total, factors)) for factors in on_inputs],
        [factors[: len(g.observed)] for g, factors in zip(groups, on_inputs, strict=True)],
        [total(factor) for variable, factor in whole.items() if variable not in batched],
        len(model.free_RVs),
        model.value_vars,
    )


def as_model_graph(graph: RowGraph, ragged: Sequence[bool]) -> ModelGraph:
    """Write the density with a scale for each group, and for ragged ones without the last row.

    The inputs of a group are its arrays, whether the last row is left out, and the scale.
    """
    prior = variadic_add(*graph.rest[: graph.free])
    likelihood = [*graph.rest[graph.free :]]
    batch = []
    parts = zip(graph.factors, graph.inputs, ragged, strict=True)
    for factors, inputs, is_ragged in parts:
        is_short = pt.TensorType("bool", ())("is_short")
        scale = pt.TensorType(pytensor.config.floatX, ())("scale")
        likelihood.append(scale * _of_rows(variadic_add(*factors), inputs, is_short, is_ragged))
        batch.append([*inputs, is_short, scale])
    terms = [prior, variadic_add(*likelihood)]
    check_randomness(terms)
    return ModelGraph(graph.values, terms, [], [], batch, [])


def _of_rows(factor: Any, inputs: Sequence[Any], is_short: Any, is_ragged: bool) -> Any:
    """Count the last row apart, and only where it is a part of the batch."""
    if not is_ragged:
        return factor
    [most] = replace_loosely([factor], {rows: rows[:-1] for rows in inputs})
    [last] = replace_loosely([factor], {rows: rows[-1:] for rows in inputs})
    return most + pt.switch(is_short, 0.0, last)


def _on_inputs(
    model: Any, group: RowGroup, factors: Sequence[Any], inputs: Sequence[Any], length: Any
) -> list[Any]:
    """Replace arrays by inputs, and what stands for the number of rows by their length."""
    replace: dict[Any, Any] = {
        array.variable: _as_it_was(array, rows)
        for array, rows in zip(group.arrays, inputs, strict=True)
    }
    replace[length] = inputs[0].shape[0]
    for dim in group.dims:
        replace[model.dim_lengths[dim]] = inputs[0].shape[0].astype("int64")
    try:
        replaced = replace_loosely(factors, replace)
        return [as_tensor(factor, allow_xtensor_conversion=True) for factor in replaced]
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"{group.names} can not be written for a part of the {group.rows} rows: "
            f"{str(error).splitlines()[0]}"
        ) from error


def _input_for(array: RowArray) -> Any:
    kind = array.variable.type
    shape = list(kind.shape)
    del shape[array.axis]
    return kind.clone(shape=(None, *shape))(name=array.name or None)


def _as_it_was(array: RowArray, rows: Any) -> Any:
    return pt.moveaxis(rows, 0, array.axis) if array.axis else rows


def _unscaled(rv: Any) -> Any:
    """Take ``total_size`` off: a batch has its own scale."""
    return rv.owner.inputs[0] if is_scaled(rv) else rv
