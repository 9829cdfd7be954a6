"""Expressions of a model's variables, in terms of one flat vector."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytensor.tensor as pt
from pymc.pytensorf import rvs_in_graph
from pytensor.graph.basic import Variable
from pytensor.graph.replace import clone_replace, graph_replace
from pytensor.graph.traversal import ancestors

from taut.errors import ArgumentError, warn
from taut.frontend.pymc.expressions.own_noise import over_rows
from taut.frontend.pymc.graph import check_replacements, whole_circles, with_all_rows
from taut.target import Space


def in_values(model: Any, nodes: Sequence[Any], more_replacements: Mapping[Any, Any]) -> list[Any]:
    """Write expressions in the model's value variables, with replacements made.

    A `pymc.Minibatch` in them is replaced by all its rows.

    Raises
    ------
    ArgumentError
        A node is no PyTensor variable or belongs to another model, or a replacement does not fit.
    """
    for node in nodes:
        if not isinstance(node, Variable):
            raise ArgumentError(
                f"{node!r} is no PyTensor expression. Give a variable of the model, or an "
                "expression of its variables."
            )
    replacements = check_replacements(more_replacements)
    _check_model(model, list(nodes))
    # Variables are found by identity, so what is computed from others is replaced before random
    # variables are; roots keep theirs, and are replaced when static shapes no longer matter.
    computed = {key: value for key, value in replacements.items() if key.owner is not None}
    roots = {key: value for key, value in replacements.items() if key.owner is None}
    graph = graph_replace(list(nodes), computed, strict=False) if computed else list(nodes)
    with whole_circles(model):
        graph = model.replace_rvs_by_values([*graph, *roots.values()])
    graph, given = graph[: len(nodes)], graph[len(nodes) :]
    graph = clone_replace(graph, dict(zip(roots, given, strict=True)), rebuild_strict=False)
    return with_all_rows(graph, {})


def on_flat_vector(model: Any, nodes: Sequence[Any], space: Space) -> tuple[Any, list[Any]]:
    """Cut the value variables in expressions out of one vector; give it and the expressions."""
    z = pt.vector("z", shape=(space.dim,))
    slices = {}
    for value in model.value_vars:
        slot = space[value.name]
        slices[value] = z[slot.slice].reshape(slot.shape).astype(value.type.dtype)
    return z, graph_replace(list(nodes), slices, strict=False)


def warn_if_constant(z: Any, nodes: Sequence[Any]) -> None:
    """Say of an expression without a random variable that it is none of the approximation."""
    if z not in set(ancestors(nodes)) and not rvs_in_graph(nodes):
        warn("The expression has no random variable of the model: its value is always the same.")


def over_draws(z: Any, nodes: Sequence[Any], draws: Any) -> list[Any]:
    """Evaluate expressions of a vector at each row of a matrix, along a new first axis."""
    several = over_rows(z, nodes, draws)
    return [
        pt.broadcast_to(out, (draws.shape[0], *node.shape)) if out.ndim == node.ndim else out
        for node, out in zip(nodes, several, strict=True)
    ]


def _check_model(model: Any, nodes: list[Any]) -> None:
    own = {*model.basic_RVs, *model.deterministics}
    strangers = sorted(
        str(variable.name)
        for variable in rvs_in_graph(nodes)
        if variable not in own and variable.name is not None
    )
    if strangers:
        raise ArgumentError(
            f"The expression has random variables that are not of this model: "
            f"{', '.join(strangers)}. The model has: "
            f"{', '.join(rv.name for rv in model.basic_RVs)}."
        )
