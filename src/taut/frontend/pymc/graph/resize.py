"""Graphs in which a variable of fixed length is replaced by one of any length."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.builders import OpFromGraph, SymbolicOp
from pytensor.compile.rewriting import inline_ofg_node
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.traversal import toposort

from taut.errors import ArgumentError


def replace_loosely(
    outputs: Sequence[Any],
    replace: Mapping[Any, Any],
    change_inputs: Callable[[Apply, list[Any]], list[Any]] | None = None,
) -> list[Any]:
    """Replace variables and make anew what depends on them, so that no old length stays in a type.

    `pytensor.clone_replace` would do, but for ops with a graph inside: it has these demand the
    lengths they were made for.

    Parameters
    ----------
    outputs
        The graph.
    replace
        What takes the place of variables.
    change_inputs
        Gives a node other inputs than those, too.
    """
    known = dict(replace)
    for node in toposort(outputs):
        if node.outputs[0] in known:
            continue
        inputs = [known.get(variable, variable) for variable in node.inputs]
        inputs = change_inputs(node, inputs) if change_inputs else inputs
        if any(new is not old for new, old in zip(inputs, node.inputs, strict=True)):
            known |= zip(node.outputs, _remade(node, inputs, known), strict=True)
    return [known.get(output, output) for output in outputs]


def _remade(node: Apply, inputs: list[Any], known: Mapping[Any, Any]) -> Sequence[Any]:
    if isinstance(node.op, SymbolicOp):
        outputs: Any = node.op(*inputs, return_list=True)
        return outputs
    if isinstance(node.op, OpFromGraph):
        return replace_loosely(inline_ofg_node(node), known)
    return node.clone_with_new_inputs(inputs, strict=False).outputs


def check_replacements(more_replacements: Mapping[Any, Any]) -> dict[Any, Any]:
    """Turn what replaces a variable into variables of its kind, of any length.

    Raises
    ------
    ArgumentError
        A key is no variable, or a value has another rank or a type that does not fit.
    """
    return {key: _replacement(key, value) for key, value in more_replacements.items()}


def _replacement(key: Any, value: Any) -> Any:
    if not isinstance(key, Variable):
        raise ArgumentError(
            f"more_replacements replaces {key!r}, which is no PyTensor variable. Write it as "
            "{variable: array}, such as {Xt: X_test}."
        )
    kind: Any = key.type
    replacement: Any = value if isinstance(value, Variable) else pt.as_tensor(np.asarray(value))
    if replacement.type.ndim != kind.ndim:
        raise ArgumentError(
            f"more_replacements gives {key} an array of {replacement.type.ndim} axes; it has "
            f"{kind.ndim}."
        )
    if not np.can_cast(replacement.type.dtype, kind.dtype, "same_kind"):
        raise ArgumentError(
            f"more_replacements gives {key} values of type {replacement.type.dtype}; it has "
            f"{kind.dtype}, to which they can not be cast."
        )
    return replacement.astype(kind.dtype)
