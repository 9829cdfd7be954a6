"""Log densities of one form that a model has many of, evaluated as one.

A model that is written as a loop over scalar variables has a graph for each of them. Those of one
form differ in their leaves alone: value variables, constants and data. One graph over the stacked
leaves says the same, and is rewritten, traced and compiled once.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant
from pytensor.graph.replace import vectorize_graph
from pytensor.tensor.type import TensorType

# Graphs of one form that are worth it; below, a model is evaluated as it is written.
_FEW = 16


def sums_of(factors: Sequence[Any]) -> list[Any]:
    """Sum each log density over its elements, and many of one form together."""
    return [one.sum() for one in many_as_one(factors)]


def many_as_one(factors: Sequence[Any]) -> list[Any]:
    """Put many log densities of one form together, along an axis of their own."""
    written = [pt.as_tensor(factor, allow_xtensor_conversion=True) for factor in factors]
    if len(written) < _FEW:
        return written
    alike: dict[Any, list[int]] = {}
    leaves: list[list[Any]] = []
    for place, one in enumerate(written):
        form, its_leaves = _form_of(one)
        alike.setdefault(form, []).append(place)
        leaves.append(its_leaves)
    # What is left alone stays in its order, so that it is added up as without others.
    found: dict[int, Any] = dict(enumerate(written))
    for places in alike.values():
        if len(places) >= _FEW:
            whole = _whole(written[places[0]], [leaves[place] for place in places])
            if whole is not None:
                found = {i: one for i, one in found.items() if i not in places}
                found[places[0]] = whole
    return [found[place] for place in sorted(found)]


def _whole(first: Any, leaves: list[list[Any]]) -> Any | None:
    """Stack graphs of one form, or return `None` where they can not be evaluated so."""
    columns = zip(leaves[0], zip(*leaves, strict=True), strict=True)
    stacked = {leaf: _stack(column) for leaf, column in columns if not _are_same(column)}
    if not stacked:
        return pt.zeros((len(leaves), *[1] * first.type.ndim)) + first
    try:
        return vectorize_graph(first, stacked)
    except NotImplementedError:
        return None


def _form_of(output: Any) -> tuple[Any, list[Any]]:
    """Describe a graph up to its leaves, and list these in the order they are met."""
    leaves: dict[Any, int] = {}
    nodes: dict[Any, int] = {}
    form: list[Any] = []
    open_ = [output]
    while open_:
        variable = open_[-1]
        node = variable.owner
        if node is None:
            if variable not in leaves:
                leaves[variable] = len(leaves)
                form.append(_kind(variable))
            open_.pop()
            continue
        waiting = [] if node in nodes else [v for v in node.inputs if not _is_met(v, nodes, leaves)]
        if waiting:
            open_ += reversed(waiting)
            continue
        if node not in nodes:
            nodes[node] = len(nodes)
            met = tuple(_place(v, nodes, leaves) for v in node.inputs)
            form.append((node.op, met))
        open_.pop()
    return (tuple(form), _place(output, nodes, leaves)), list(leaves)


def _is_met(variable: Any, nodes: dict[Any, int], leaves: dict[Any, int]) -> bool:
    return variable in leaves if variable.owner is None else variable.owner in nodes


def _place(variable: Any, nodes: dict[Any, int], leaves: dict[Any, int]) -> tuple[int, int]:
    if variable.owner is None:
        return -1, leaves[variable]
    return nodes[variable.owner], variable.owner.outputs.index(variable)


def _kind(leaf: Any) -> Any:
    """Say which leaves may stand in the same place: of one type, if they are stacked there."""
    if isinstance(leaf, Constant):
        # Others tell of axes and choices, as those of integers do that no tensor holds.
        is_number = isinstance(leaf.type, TensorType) and leaf.data.dtype.kind in "fiu"
        return leaf.type if is_number else leaf.signature()
    # Data may change their shape, each on its own.
    whole = isinstance(leaf.type, TensorType) and None not in leaf.type.shape
    return leaf.type if whole and not isinstance(leaf, SharedVariable) else leaf


def _are_same(column: Sequence[Any]) -> bool:
    first = column[0]
    if isinstance(first, Constant):
        return all(first is leaf or first.equals(leaf) for leaf in column)
    return all(first is leaf for leaf in column)


def _stack(column: Sequence[Any]) -> Any:
    if isinstance(column[0], Constant):
        return pt.constant(np.stack([leaf.data for leaf in column]))
    return pt.stack(list(column))
