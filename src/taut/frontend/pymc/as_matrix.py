"""Draws of any container as a matrix in the unconstrained space."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from pytensor.graph.replace import graph_replace

from taut.errors import ArgumentError
from taut.frontend.pymc.graph import transforms_of
from taut.frontend.pymc.lift.jaxify import jaxify
from taut.target import Space


def histogram(model: Any, trace: Any, space: Space) -> np.ndarray:
    """Lay draws out as a matrix, one draw a row.

    Values of the unconstrained variables are taken where the container has them; otherwise those
    of the variables themselves are mapped by the model's transforms.

    Raises
    ------
    ArgumentError
        The container is empty or lacks a variable, or its shapes are not the model's.
    """
    if isinstance(trace, np.ndarray):
        draws = np.atleast_2d(np.asarray(trace, float))
        if draws.shape[1] != space.dim:
            raise ArgumentError(
                f"A matrix of draws has one column for each of the {space.dim} elements of "
                f"{', '.join(space.names)}; this one has shape {np.shape(trace)}."
            )
    else:
        groups = _groups(trace)
        given = _unconstrained(groups, space) or _transformed(model, groups)
        draws = np.concatenate([given[slot.name].reshape(-1, slot.size) for slot in space], axis=1)
    if not len(draws):
        raise ArgumentError("The trace is empty: it has no draws.")
    return draws


def _groups(trace: Any) -> list[dict[str, np.ndarray]]:
    """Read a container's groups that hold draws, as arrays with the draws along the first axis."""
    if hasattr(trace, "varnames"):
        return [{name: np.asarray(trace[name]) for name in trace.varnames}]
    if "posterior" in _children(trace):
        names = [n for n in ("unconstrained_posterior", "posterior") if n in _children(trace)]
        return [_stacked(trace[name]) for name in names]
    if isinstance(trace, Mapping):
        return [{name: np.asarray(value) for name, value in trace.items()}]
    raise ArgumentError(
        f"trace must be a DataTree or InferenceData with a posterior, a MultiTrace, a mapping of "
        f"names to arrays, or a matrix; got {type(trace).__name__}."
    )


def _children(trace: Any) -> list[str]:
    """List a container's groups; InferenceData of ArviZ 0 has a method for it."""
    if hasattr(trace, "children"):
        return list(trace.children)
    return list(trace.groups()) if callable(getattr(trace, "groups", None)) else []


def _stacked(group: Any) -> dict[str, np.ndarray]:
    """Join chains and draws to one first axis."""
    return {
        str(name): values.transpose("chain", "draw", ...).values.reshape(
            -1, *values.transpose("chain", "draw", ...).shape[2:]
        )
        for name, values in group.data_vars.items()
    }


def _unconstrained(
    groups: Sequence[dict[str, np.ndarray]], space: Space
) -> dict[str, np.ndarray] | None:
    for group in groups:
        if all(name in group for name in space.names):
            return {name: group[name] for name in space.names}
    return None


def _transformed(model: Any, groups: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    draws = groups[-1]
    missing = [rv.name for rv in model.free_RVs if rv.name not in draws]
    if missing:
        raise ArgumentError(
            f"The trace has no draws of {', '.join(missing)}. It has: {', '.join(sorted(draws))}."
        )
    inputs, outputs = _forward_graph(model)
    function = jaxify(inputs, outputs)
    arrays = [
        np.asarray(draws[rv.name], variable.type.dtype)
        for rv, variable in zip(model.free_RVs, inputs, strict=True)
    ]
    columns = jax.jit(jax.vmap(lambda *own: tuple(function(*own))))(*arrays)
    names = [model.rvs_to_values[rv].name for rv in model.free_RVs]
    return {name: np.asarray(column) for name, column in zip(names, columns, strict=True)}


def _forward_graph(model: Any) -> tuple[list[Any], list[Any]]:
    """Write the unconstrained variables in terms of the constrained ones."""
    own = {rv: rv.type(name=rv.name) for rv in model.free_RVs}
    outputs = []
    for rv, variable in own.items():
        transform = transforms_of(model)[rv]
        outputs.append(variable if transform is None else
                       transform.forward(variable, *rv.owner.inputs))  # fmt: skip
    outputs = graph_replace([out + 0 for out in outputs], own, strict=False)
    return list(own.values()), outputs
