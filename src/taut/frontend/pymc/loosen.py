"""Graphs in which a variable of fixed length is replaced by one of any length."""

from collections.abc import Mapping, Sequence
from typing import Any

from pytensor.compile.builders import OpFromGraph, SymbolicOp
from pytensor.compile.rewriting import inline_ofg_node
from pytensor.graph.basic import Apply
from pytensor.graph.traversal import toposort


def replace_loosely(outputs: Sequence[Any], replace: Mapping[Any, Any]) -> list[Any]:
    """Replace variables and make anew what depends on them, so that no old length stays in a type.

    `pytensor.clone_replace` would do, but for ops with a graph inside: it has these demand the
    lengths they were made for.
    """
    known = dict(replace)
    for node in toposort(outputs):
        if node.outputs[0] not in known and not known.keys().isdisjoint(node.inputs):
            known |= zip(node.outputs, _remade(node, known), strict=True)
    return [known.get(output, output) for output in outputs]


def _remade(node: Apply, known: Mapping[Any, Any]) -> Sequence[Any]:
    inputs = [known.get(variable, variable) for variable in node.inputs]
    if isinstance(node.op, SymbolicOp):
        outputs: Any = node.op(*inputs, return_list=True)
        return outputs
    if isinstance(node.op, OpFromGraph):
        return replace_loosely(inline_ofg_node(node), known)
    return node.clone_with_new_inputs(inputs, strict=False).outputs
