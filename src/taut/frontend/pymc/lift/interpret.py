"""PyTensor's functions without its C compiler."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytensor
from pymc.pytensorf import compile as compile_function
from pytensor.compile.mode import Mode
from pytensor.graph.basic import Constant
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.rewriting.basic import in2out, node_rewriter
from pytensor.graph.traversal import io_toposort
from pytensor.scalar.basic import Add, Mul
from pytensor.tensor.elemwise import Elemwise

# NumPy takes 32 operands, with the result.
_MANY_OPERANDS = 31
# After PyTensor's own rewrites, which make one operation of a sum of sums.
_LAST = 1000.0


@node_rewriter([Elemwise])
def _cut_long_sum(graph: FunctionGraph, node: Any) -> list[Any] | None:
    """Rewrite a sum or product of more terms than NumPy takes to one of two halves."""
    terms = node.inputs
    if len(terms) <= _MANY_OPERANDS or not isinstance(node.op.scalar_op, Add | Mul):
        return None
    half = len(terms) // 2
    return [node.op(node.op(*terms[:half]), node.op(*terms[half:]))]


# The linker is the one that imports nothing of compilers.
_NODE_BY_NODE = Mode(linker="py", optimizer="fast_compile").register((in2out(_cut_long_sum), _LAST))
# Of the canonical ones only the rewrite that PyMC names, which makes densities zero outside of
# bounds.
_BARE = (
    Mode(linker="py", optimizer="minimum_compile")
    .including("canonicalize_db")
    .register((in2out(_cut_long_sum), _LAST))
)


def interpreted() -> AbstractContextManager[Any]:
    """Let functions that are called for the first time inside run in Python.

    One that is called a few times does not pay for a C compiler: graphs of a mixture or a simplex
    kept it busy for three to five seconds.
    """
    return pytensor.config.change_flags(cxx="")


def interpreted_function(
    inputs: Sequence[Any], outputs: Sequence[Any], *, rewrites: bool = True
) -> Any:
    """Make a function that evaluates a graph node by node; call it inside `interpreted`.

    Without rewrites it is made in a third of the time. Some graphs it can not evaluate, and what
    these would make stable it evaluates as it is written.
    """
    with interpreted():
        mode = _NODE_BY_NODE if rewrites else _BARE
        return compile_function(inputs, outputs, mode=mode, on_unused_input="ignore")


def as_written(inputs: Sequence[Any], outputs: Sequence[Any]) -> Callable[..., list[np.ndarray]]:
    """Return what evaluates a graph node by node, of which nothing is copied, checked or rewritten.

    Of thousands of nodes `interpreted_function` takes seconds to do so. What it raises, or gives,
    where a graph needs rewriting is not to be believed. Call it inside `interpreted`.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from taut.frontend.pymc.lift import as_written
    >>> x = pt.dscalar("x")
    >>> print(as_written([x], [x + 1.0])(2.0)[0])
    3.0
    """
    nodes = io_toposort(inputs, outputs)
    storage: dict[Any, list[Any]] = {variable: [None] for variable in (*inputs, *outputs)}
    for node in nodes:
        storage |= {variable: [None] for variable in (*node.inputs, *node.outputs)}
    roots = [v for v in storage if v.owner is None and v not in set(inputs)]
    there = {variable: [True] for variable in storage}
    steps = [node.op.make_thunk(node, storage, there, [], impl="py") for node in nodes]

    def evaluate(*values: Any) -> list[np.ndarray]:
        for variable, value in zip(inputs, values, strict=True):
            storage[variable][0] = variable.type.filter(value, allow_downcast=True)
        for root in roots:
            constant = isinstance(root, Constant)
            storage[root][0] = root.data if constant else root.get_value(borrow=True)
        for step in steps:
            step()
        return [np.array(storage[output][0]) for output in outputs]

    return evaluate
