"""The terms of a model's log density as a JAX function of its rows, of any number of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import jax
import numpy as np
import pytensor
from pytensor.tensor import as_tensor

from taut.autodiff import guard_selects
from taut.errors import ModelError
from taut.frontend.pymc.graph import (
    DataInputs,
    ModelGraph,
    check_randomness,
    is_sparse,
    lift_data,
)
from taut.frontend.pymc.lift import INEXPRESSIBLE, data_arrays
from taut.frontend.pymc.lift.jaxify import jaxify
from taut.frontend.pymc.rows.any_groups import of_any_groups
from taut.frontend.pymc.rows.find import Axes, RowArray, data_names, find_rows
from taut.frontend.pymc.rows.group_variables import LiftedVariables, lift_variables
from taut.frontend.pymc.rows.row_graph import RowGraph, RowGroup, read_rows
from taut.target import RowColumn, RowFactors, Space


@final
@dataclass(frozen=True, eq=False)
class LiftedRows:
    """The terms of a model with rows, lifted once.

    Parameters
    ----------
    function
        ``function(*values, *data, *rows)``.
    data
        The data inputs without rows.
    graph
        What was lifted.
    variables
        Those that are made of latents, where these have any number of groups.
    """

    function: Any
    data: DataInputs
    graph: RowGraph
    variables: LiftedVariables | None

    def factors(self, model: Any, space: Space) -> RowFactors:
        """Return the terms with the data of this moment."""
        [group] = self.graph.groups
        free = [rv.name for rv in model.free_RVs]
        rest = ["the likelihood of other data"] * len(self.graph.rest)
        return RowFactors(
            self.function,
            space,
            (*free, *rest),
            data_arrays(self.data),
            tuple(_column(model, array) for array in group.arrays),
            tuple(array.values() for array in group.arrays),
            _axes(group),
            None if self.variables is None else self.variables.variables(),
        )


def lift_rows(
    model: Any, whole: ModelGraph, axes: Axes | None, space: Space, latents: Mapping[str, int]
) -> LiftedRows:
    """Lift the terms of a model, each on its own, with rows as inputs.

    Parameters
    ----------
    model
        The model.
    whole
        Its graphs with its own data.
    axes
        All data with rows, where a user has named them.
    space
        The value variables.
    latents
        Those with an element for each of any number of groups, with their axis of these.

    Raises
    ------
    ModelError
        There are no rows, or several kinds of them, or JAX can not evaluate the density.
    """
    graph = read_rows(model, find_rows(model, 0, axes), axes)
    _check_groups(graph)
    [group] = graph.groups
    _axes(group)
    outputs = [as_tensor(f, allow_xtensor_conversion=True) for f in (*graph.prior, *graph.rest)]
    outputs += group.factors
    check_randomness(outputs)
    values = graph.values
    if latents:
        values, outputs = of_any_groups(model, values, outputs, latents)
    reason: Exception | None = None
    for freeze_shapes in (False, True):
        data = lift_data(outputs, freeze_shapes)
        inputs = [*values, *data.inputs, *group.inputs]
        try:
            function = jaxify(inputs, data.outputs, model.check_bounds)
            function = guard_selects(function, len(values), is_sum=False)
            _trace(function, data, space, group)
            variables = lift_variables(model, whole, group, space, latents) if latents else None
            return LiftedRows(function, data, graph, variables)
        except INEXPRESSIBLE as error:
            reason = error
    raise ModelError(
        "The model can not be fitted in batches of groups, since JAX can not evaluate its log "
        f"density: {str(reason).splitlines()[0]}"
    )


def _trace(function: Any, data: DataInputs, space: Space, group: RowGroup) -> None:
    """Let JAX trace the terms, of a few rows."""
    dtype = pytensor.config.floatX
    values = [jax.ShapeDtypeStruct(slot.shape, dtype) for slot in space]
    rows = [jax.ShapeDtypeStruct((2, *a.values().shape[1:]), _kind(a)) for a in group.arrays]
    jax.eval_shape(function, *values, *data_arrays(data), *rows)


def _check_groups(graph: RowGraph) -> None:
    if len(graph.groups) == 1:
        return
    listed = "; ".join(f"{g.names} with {g.rows.count} rows" for g in graph.groups) or "none"
    raise ModelError(
        "A fit in batches of groups reads one kind of rows, and the model's observed variables "
        f"have: {listed}. Say which data have these rows, all of them: rows={{'y': 0, 'g': 0}}."
    )


def _axes(group: RowGroup) -> tuple[int, ...]:
    """Return the axis of rows of each term."""
    found = []
    for term, factor in zip(group.terms, group.factors, strict=True):
        axis = group.rows.observed.get(term, 0)
        if factor.type.ndim <= axis:
            raise ModelError(
                f"{term.name!r} is one number for all rows, so that rows can not be told apart by "
                "their group. Write it with an element for each row."
            )
        found.append(axis)
    return tuple(found)


def _column(model: Any, array: RowArray) -> RowColumn:
    if is_sparse(array.variable):
        raise ModelError(
            f"{array.name!r} is a sparse matrix, which can not be read in batches of groups. "
            "Declare it as a dense array in the model."
        )
    names = [name for name, one in data_names(model).items() if one is array.variable]
    own = array.name or (names[0] if names else "")
    alias: Sequence[str] = [name for name in names if name != own]
    return RowColumn(own, _kind(array), array.values().shape[1:], alias[0] if alias else "")


def _kind(array: RowArray) -> np.dtype:
    """Return the type in which JAX reads an array."""
    with jax.enable_x64(pytensor.config.floatX == "float64"):
        return np.dtype(jax.dtypes.canonicalize_dtype(array.kind.dtype))
