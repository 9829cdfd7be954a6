"""Which arrays of a model have rows: those of the observed variables, and what goes with them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import graph_inputs
from pytensor.tensor.type import TensorType

from taut.errors import ArgumentError, ModelError
from taut.frontend import nearest
from taut.frontend.pymc.graph import find_minibatches, is_scaled, is_sparse, length_of, value_of
from taut.frontend.pymc.lift import table_of
from taut.frontend.pymc.rows.sparse_rows import check_table

# For data with rows, the axis of these.
Axes = Mapping[Any, int]


@dataclass(frozen=True, eq=False)
class Rows:
    """Observed variables over the same rows.

    Parameters
    ----------
    count
        How many rows.
    observed
        The variables, each with its axis of rows.
    dims
        Names of that axis.
    """

    count: int
    observed: Axes
    dims: frozenset[str]


@dataclass(frozen=True, eq=False)
class RowArray:
    """An array with one entry for each row.

    Parameters
    ----------
    variable
        The shared variable or constant.
    axis
        Its axis of rows.
    part
        Of a sparse matrix, which part of its table this is: the columns (0) or the values (1).
    """

    variable: Any
    axis: int
    part: int | None = None

    @property
    def name(self) -> str:
        """What it is called; empty for a constant without a name."""
        return self.variable.name or ""

    def values(self) -> np.ndarray:
        """Return its values of this moment, with rows along the first axis."""
        if self.part is not None:
            return table_of(data_of(self.variable))[self.part]
        return np.moveaxis(data_of(self.variable), self.axis, 0)

    @property
    def kind(self) -> TensorType:
        """The type of an input for some of the rows."""
        if self.part is not None:
            dtype = "int32" if self.part == 0 else self.variable.type.dtype
            return TensorType(dtype, shape=(None, None))
        shape = list(self.variable.type.shape)
        del shape[self.axis]
        return self.variable.type.clone(shape=(None, *shape))


def find_rows(model: Any, least: int, axes: Axes | None) -> list[Rows]:
    """Find the observed variables of more than `least` rows, which are their first axis.

    Parameters
    ----------
    model
        The model.
    least
        Variables of up to this many rows are left whole.
    axes
        All data with rows, where a user has named them.

    Raises
    ------
    ModelError
        The model draws its own batches, a density does not factor over rows, or a free variable
        has one element for each row.
    """
    if find_minibatches(_values(model)):
        raise ModelError(
            "The model draws its own batches by pymc.Minibatch. Leave batch_size and devices out, "
            "or write the model for all rows and leave pymc.Minibatch out."
        )
    found: dict[int, dict[Any, int]] = {}
    for rv in model.observed_RVs:
        axis = _row_axis(model, rv, axes)
        if axis is not None and (count := length_of(model.rvs_to_values[rv], axis)) > least:
            _check_factors(rv, axis)
            found.setdefault(count, {})[rv] = axis
    for variable, axis in (axes or {}).items():
        # Rows that only a potential reads.
        if (count := np.shape(data_of(variable))[axis]) > least:
            found.setdefault(count, {})
    rows = [Rows(count, those, _row_dims(model, those)) for count, those in found.items()]
    _check_free_variables(model, rows)
    return rows


def find_arrays(model: Any, graph: list[Any], rows: Rows, axes: Axes | None) -> list[RowArray]:
    """List the arrays in a graph that have certain rows.

    An array does if its dims say so, or, where it has none, if its first axis is as long; where
    a user has named the data with rows, those do and no others.
    """
    found = []
    for variable in dict.fromkeys(graph_inputs(graph)):
        axis = _axis(model, variable, rows, axes) if _is_array(variable) else None
        if axis is None:
            continue
        if is_sparse(variable):
            check_table(variable.name or "", data_of(variable), axis)
            found += [RowArray(variable, axis, part) for part in (0, 1)]
        else:
            found.append(RowArray(variable, axis))
    return found


def told_axes(model: Any, told: Mapping[str, int]) -> Axes:
    """Look up the data a user has named.

    Raises
    ------
    ArgumentError
        A name is none of the model's data, or has no such axis.
    """
    known, axes = data_names(model), {}
    for name, axis in told.items():
        if name not in known:
            raise ArgumentError(
                f"rows names {name!r}, which is no data of the model{nearest(name, known)}. "
                f"There are: {', '.join(known)}. Arrays without a name become data by "
                'pm.Data("name", array).'
            )
        ndim = known[name].type.ndim
        if not isinstance(axis, int | np.integer) or not 0 <= axis < ndim:
            raise ArgumentError(f"rows[{name!r}] must be an axis from 0 to {ndim - 1}, got {axis}.")
        axes[known[name]] = int(axis)
    return axes


def data_names(model: Any) -> dict[str, Any]:
    """Name the model's data: shared variables by their own names, and what variables observe."""
    shared = {
        variable.name: variable
        for variable in graph_inputs([*model.basic_RVs, *_values(model), *model.potentials])
        if isinstance(variable, SharedVariable) and variable.name and _is_array(variable)
    }
    return {rv.name: _root(model.rvs_to_values[rv]) for rv in model.observed_RVs} | shared


def data_of(variable: Any) -> Any:
    """Return the value of a shared variable or a constant: an array, or SciPy's sparse matrix."""
    value = value_of(variable)
    return value if is_sparse(variable) else np.asarray(value)


def _values(model: Any) -> list[Any]:
    return [model.rvs_to_values[rv] for rv in model.observed_RVs]


def _root(value: Any) -> Any:
    """Find the data behind what a variable observes, which may be cast."""
    roots = [v for v in graph_inputs([value]) if _is_array(v)]
    return roots[0] if len(roots) == 1 else value


def _is_array(variable: Any) -> bool:
    # Generators and slices have no axes.
    kinds = SharedVariable | Constant
    return isinstance(variable, kinds) and getattr(variable.type, "ndim", 0) > 0


def _row_axis(model: Any, rv: Any, axes: Axes | None) -> int | None:
    """Find an observed variable's axis of rows, `None` where it has none."""
    if axes is not None:
        return axes.get(_root(model.rvs_to_values[rv]))
    return 0 if rv.type.ndim else None


def _row_dims(model: Any, observed: Axes) -> frozenset[str]:
    named = {_dims(model, rv)[axis] for rv, axis in observed.items() if _dims(model, rv)}
    return frozenset(named - {None})


def _dims(model: Any, variable: Any) -> tuple[Any, ...]:
    return tuple(model.named_vars_to_dims.get(getattr(variable, "name", None), ()))


def _axis(model: Any, variable: Any, rows: Rows, axes: Axes | None) -> int | None:
    """Find the axis along which an array has certain rows, `None` where it has none of them."""
    shape, own = np.shape(data_of(variable)), _dims(model, variable)
    if axes is not None and variable in axes:
        if shape[axes[variable]] != rows.count:
            raise ArgumentError(
                f"rows says that {variable.name!r} has rows along axis {axes[variable]}, which is "
                f"{shape[axes[variable]]} long; the observed variable has {rows.count} rows."
            )
        return axes[variable]
    if axes is not None:
        # Whoever names data with rows names all of them.
        return None
    if isinstance(variable, SharedVariable):
        if rows.dims and own:
            return next((i for i, dim in enumerate(own) if dim in rows.dims), None)
        if not is_sparse(variable):
            return 0 if shape[0] == rows.count else None
    # A constant can not be named, and PyMC may have put axes in front of its rows; a sparse matrix
    # may be transposed.
    return shape.index(rows.count) if shape.count(rows.count) else None


def _check_factors(rv: Any, axis: int) -> None:
    """Refuse a variable whose rows are one draw of a joint distribution."""
    if not isinstance(rv.type, TensorType):
        raise ModelError(
            f"{rv.name!r} is a variable of pymc.dims, which can not be batched yet. Leave "
            "batch_size out, or write it with pymc's own distributions and dims=."
        )
    inner = rv.owner.inputs[0] if is_scaled(rv) else rv
    if axis >= inner.type.ndim - getattr(inner.owner.op, "ndim_supp", 0):
        kind = type(inner.owner.op).__name__.removesuffix("RV")
        raise ModelError(
            f"{rv.name!r} can not be batched: its rows are one draw of {kind}, whose density does "
            "not factor over them. Fit it with all rows (leave batch_size out), or say which "
            'other variables have rows: rows={"name": 0}.'
        )


def _check_free_variables(model: Any, found: Iterable[Rows]) -> None:
    """Refuse free variables that have a dim of rows."""
    for rows in found:
        for rv in model.free_RVs:
            shared = rows.dims.intersection(_dims(model, rv))
            if shared:
                names = ", ".join(repr(observed.name) for observed in rows.observed)
                raise ModelError(
                    f"Free variable {rv.name!r} has one element for each row of {names} (dim "
                    f"{min(shared)!r}). A batch reads a part of the rows, and the elements of the "
                    "others would drift to their prior. Such a model is fitted with all rows: "
                    "leave batch_size out."
                )
