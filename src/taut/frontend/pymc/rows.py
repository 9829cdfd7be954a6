"""Which arrays of a model have rows: those of the observed variables, and what goes with them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import graph_inputs

from taut.errors import ArgumentError, ModelError
from taut.frontend.matching import nearest
from taut.frontend.pymc.minibatch import find_minibatches, is_scaled, length_of


@dataclass(frozen=True, eq=False)
class RowArray:
    """An array with one entry for each row.

    Parameters
    ----------
    variable
        The shared variable or constant.
    axis
        Its axis of rows.
    name
        What it is called; empty for a constant without a name.
    """

    variable: Any
    axis: int
    name: str

    def values(self) -> np.ndarray:
        """Give its values of this moment, with rows along the first axis."""
        return np.moveaxis(data_of(self.variable), self.axis, 0)


@dataclass(frozen=True, eq=False)
class RowGroup:
    """Variables and arrays over the same rows.

    Parameters
    ----------
    rows
        How many.
    dims
        Names of their dims.
    observed
        The observed variables, each with its axis of rows.
    potentials
        Potentials that read rows, and so are a part of the likelihood.
    arrays
        What they read row by row.
    """

    rows: int
    dims: set[str]
    observed: Mapping[Any, int]
    potentials: Sequence[Any]
    arrays: Sequence[RowArray]

    @property
    def terms(self) -> list[Any]:
        """List the variables whose factors are summed over the rows."""
        return [*self.observed, *self.potentials]

    @property
    def names(self) -> str:
        """Name the variables, for messages."""
        return ", ".join(repr(variable.name) for variable in self.terms)


def find_groups(model: Any, least: int, told: Mapping[str, int] | None) -> list[RowGroup]:
    """Find the groups of more than `least` rows.

    Rows are the first axis of an observed variable. An array goes with them if its dims say so,
    or, where it has none, if its first axis is as long.

    Parameters
    ----------
    model
        The model.
    least
        Groups up to this many rows are left whole.
    told
        For the names of all arrays with rows the axis of these; `None` to find them.

    Raises
    ------
    ModelError
        The model draws its own batches, a density does not factor over rows, or a free variable
        has one element for each row.
    ArgumentError
        `told` names what is not there, or arrays of different lengths.
    """
    _check_batches(model)
    axes = None if told is None else _told_axes(model, told)
    observed: dict[int, dict[Any, int]] = {}
    for rv in model.observed_RVs:
        axis = _row_axis(model, rv, axes)
        if axis is not None and (rows := length_of(model.rvs_to_values[rv], axis)) > least:
            _check_factors(rv, axis)
            observed.setdefault(rows, {})[rv] = axis
    _check_free_variables(model, observed.values())
    terms = [*(rv for those in observed.values() for rv in those), *model.potentials]
    factors = dict(zip(terms, model.logp(vars=terms, sum=False), strict=True)) if terms else {}
    groups = [_group(model, rows, those, axes, factors) for rows, those in observed.items()]
    return _with_potentials(model, groups, axes, factors)


def data_of(variable: Any) -> np.ndarray:
    """Give the value of a shared variable or a constant."""
    if isinstance(variable, Constant):
        return np.asarray(variable.data)
    return np.asarray(variable.get_value(borrow=True))


def data_names(model: Any) -> dict[str, Any]:
    """Name the model's data: shared variables by their own names, and what variables observe."""
    shared = {
        variable.name: variable
        for variable in graph_inputs([*model.basic_RVs, *_values(model), *model.potentials])
        if isinstance(variable, SharedVariable) and variable.name and _ndim(variable)
    }
    return {rv.name: _root(model.rvs_to_values[rv]) for rv in model.observed_RVs} | shared


def _values(model: Any) -> list[Any]:
    return [model.rvs_to_values[rv] for rv in model.observed_RVs]


def _root(value: Any) -> Any:
    """Find the data behind what a variable observes, which may be cast."""
    roots = [v for v in graph_inputs([value]) if _is_array(v)]
    return roots[0] if len(roots) == 1 else value


def _told_axes(model: Any, told: Mapping[str, int]) -> dict[Any, int]:
    known, axes = data_names(model), {}
    for name, axis in told.items():
        if name not in known:
            raise ArgumentError(
                f"rows names {name!r}, which is no data of the model{nearest(name, known)}. "
                f"There are: {', '.join(known)}. Arrays without a name become data by "
                'pm.Data("name", array).'
            )
        ndim = known[name].type.ndim
        if not isinstance(axis, int) or not 0 <= axis < ndim:
            raise ArgumentError(f"rows[{name!r}] must be an axis from 0 to {ndim - 1}, got {axis}.")
        axes[known[name]] = axis
    return axes


def _row_axis(model: Any, rv: Any, axes: Mapping[Any, int] | None) -> int | None:
    """Tell an observed variable's axis of rows, `None` where it has none."""
    if axes is not None:
        return axes.get(_root(model.rvs_to_values[rv]))
    return 0 if rv.type.ndim else None


def _group(
    model: Any,
    rows: int,
    observed: Mapping[Any, int],
    axes: Mapping[Any, int] | None,
    factors: Mapping[Any, Any],
) -> RowGroup:
    dims = _row_dims(model, observed)
    arrays = _arrays(model, [factors[rv] for rv in observed], rows, dims, axes)
    return RowGroup(rows, dims, observed, [], arrays)


def _arrays(
    model: Any, graph: list[Any], rows: int, dims: set[Any], axes: Mapping[Any, int] | None
) -> list[RowArray]:
    """List the arrays in a graph that have these rows."""
    found = {}
    for variable in graph_inputs(graph):
        if not _is_array(variable):
            continue
        shape = np.shape(data_of(variable))
        axis = _axis(variable, shape, rows, _dims(model, variable), dims, axes)
        if axis is not None:
            found[variable] = RowArray(variable, axis, variable.name or "")
    return list(found.values())


def _is_array(variable: Any) -> bool:
    return isinstance(variable, SharedVariable | Constant) and _ndim(variable) > 0


def _ndim(variable: Any) -> int:
    """Give the axes of a variable; generators and slices have none."""
    return getattr(variable.type, "ndim", 0)


def _axis(
    variable: Any,
    shape: tuple[int, ...],
    rows: int,
    own: tuple[Any, ...],
    dims: set[Any],
    axes: Mapping[Any, int] | None,
) -> int | None:
    if axes is not None:
        axis = axes.get(variable)
        if axis is not None and shape[axis] != rows:
            raise ArgumentError(
                f"rows says that {variable.name!r} has rows along axis {axis}, which is "
                f"{shape[axis]} long; the observed variable has {rows} rows."
            )
        return axis
    if dims and own:
        return next((i for i, dim in enumerate(own) if dim in dims), None)
    return 0 if shape and shape[0] == rows else None


def _with_potentials(
    model: Any,
    groups: list[RowGroup],
    axes: Mapping[Any, int] | None,
    factors: Mapping[Any, Any],
) -> list[RowGroup]:
    """Give each potential to the group whose rows it reads; one that reads several stays whole."""
    for potential in model.potentials:
        graph = [factors[potential]]
        found = [_arrays(model, graph, group.rows, group.dims, axes) for group in groups]
        reading = [(i, arrays) for i, arrays in enumerate(found) if arrays]
        if len(reading) == 1:
            [(i, arrays)] = reading
            known = [array.variable for array in groups[i].arrays]
            more = [array for array in arrays if array.variable not in known]
            groups[i] = replace(
                groups[i],
                potentials=[*groups[i].potentials, potential],
                arrays=[*groups[i].arrays, *more],
            )
    return groups


def _row_dims(model: Any, observed: Mapping[Any, int]) -> set[str]:
    named = {_dims(model, rv)[axis] for rv, axis in observed.items() if _dims(model, rv)}
    return named - {None}


def _dims(model: Any, variable: Any) -> tuple[Any, ...]:
    return tuple(model.named_vars_to_dims.get(getattr(variable, "name", None), ()))


def _check_batches(model: Any) -> None:
    if find_minibatches(_values(model)):
        raise ModelError(
            "The model draws its own batches by pymc.Minibatch. Leave batch_size out, or write "
            "the model for all rows and leave pymc.Minibatch out."
        )


def _check_factors(rv: Any, axis: int) -> None:
    """Refuse a variable whose rows are one draw of a joint distribution."""
    name = rv.name
    rv = rv.owner.inputs[0] if is_scaled(rv) else rv
    op = rv.owner.op
    independent = rv.type.ndim - getattr(op, "ndim_supp", 0)
    if axis >= independent:
        kind = type(op).__name__.removesuffix("RV")
        raise ModelError(
            f"{name!r} can not be batched: its rows are one draw of {kind}, whose density does "
            "not factor over them. Fit it with all rows (leave batch_size out), or say which "
            'other variables have rows: rows={"name": 0}.'
        )


def _check_free_variables(model: Any, observed: Iterable[Mapping[Any, int]]) -> None:
    """Refuse free variables that have a dim of rows."""
    dims = {
        _dims(model, rv)[axis]: rv.name
        for those in observed
        for rv, axis in those.items()
        if _dims(model, rv)
    }
    for rv in model.free_RVs:
        shared = [dim for dim in _dims(model, rv) if dim is not None and dim in dims]
        if shared:
            raise ModelError(
                f"Free variable {rv.name!r} has one element for each row of "
                f"{dims[shared[0]]!r} (dim {shared[0]!r}). Batches read a part of the rows in "
                "each step, and elements of the others would drift to their prior. Such a model "
                "is fitted with all rows: leave batch_size out."
            )
