"""Graphs in which variables with an element for each group have any number of these."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytensor.graph.basic import Apply
from pytensor.tensor import get_underlying_scalar_constant_value
from pytensor.tensor.basic import Alloc
from pytensor.tensor.exceptions import NotScalarConstantError

from taut.frontend.pymc.graph import replace_loosely


def of_any_groups(
    model: Any, values: Sequence[Any], outputs: Sequence[Any], latents: Mapping[str, int]
) -> tuple[list[Any], list[Any]]:
    """Let variables of groups have any length along their axis of these.

    Whether what comes out is the same density for other groups has to be looked at by numbers: a
    length may be built into a model in many ways.

    Parameters
    ----------
    model
        The model.
    values
        The value variables.
    outputs
        The graph.
    latents
        The variables of groups by the names of their values, each with its axis.

    Returns
    -------
    tuple
        The value variables, and the graph.
    """
    new = [_loose(value, latents) for value in values]
    known = {value.name: one for value, one in zip(values, new, strict=True)}
    name, axis = next(iter(latents.items()))
    length = known[name].shape[axis]
    replace = {v: n for v, n in zip(values, new, strict=True) if n is not v}
    dims = {dim for dim in (_dim(model, name, axis) for name, axis in latents.items()) if dim}
    replace |= {model.dim_lengths[dim]: length for dim in dims}
    own = _length(model, name, axis)
    return new, replace_loosely(outputs, replace, _of_length(own, length))


def _loose(value: Any, latents: Mapping[str, int]) -> Any:
    """Make a value variable whose length along the axis of groups is not in its type."""
    if value.name not in latents:
        return value
    shape = list(value.type.shape)
    shape[latents[value.name]] = None
    return value.type.clone(shape=tuple(shape))(name=value.name)


def _variable(model: Any, name: str) -> Any:
    return next(rv for rv in model.free_RVs if model.rvs_to_values[rv].name == name)


def _dim(model: Any, name: str, axis: int) -> str | None:
    dims = model.named_vars_to_dims.get(_variable(model, name).name)
    return dims[axis] if dims else None


def _length(model: Any, name: str, axis: int) -> int | None:
    """Return the length of a variable where it is a number; `None` where it is that of a dim."""
    length = _variable(model, name).type.shape[axis]
    return None if length is None else int(length)


def _of_length(own: int | None, length: Any) -> Callable[[Apply, list[Any]], list[Any]]:
    """Let what is filled up to all groups be filled up to those there are."""

    def change_inputs(node: Apply, inputs: list[Any]) -> list[Any]:
        if own is None or not isinstance(node.op, Alloc):
            return inputs
        return [inputs[0], *(length if _number(size) == own else size for size in inputs[1:])]

    return change_inputs


def _number(size: Any) -> int | None:
    try:
        return int(get_underlying_scalar_constant_value(size))
    except NotScalarConstantError:
        return None
