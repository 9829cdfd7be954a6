"""Sparse matrices in a model's graph: what depends on them and data alone, and their products."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import ancestors, toposort
from pytensor.sparse.basic import Transpose, transpose
from pytensor.sparse.math import Dot, StructuredDot
from pytensor.sparse.type import SparseTensorType
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.math import Dot as DenseDot

from taut.frontend.pymc.graph.sparse_ops import SparseProduct

_PRODUCT = SparseProduct()


def is_sparse(variable: Any) -> bool:
    """Check whether a variable is a sparse matrix."""
    return isinstance(variable.type, SparseTensorType)


def sparse_data(outputs: Sequence[Any]) -> tuple[list[Any], dict[Variable, Variable]]:
    """Make inputs of what depends on sparse matrices and data alone, and write out the products.

    A matrix that is transposed, scaled or stacked in the model, or summed to a vector, is data, as
    it would be if that were done before.

    Parameters
    ----------
    outputs
        The graph.

    Returns
    -------
    outputs
        The graph of inputs.
    sources
        What each input stands for: a shared variable, a constant, or what is computed of these.
    """
    if not any(map(is_sparse, ancestors(outputs))):
        return list(outputs), {}
    products = _with_products(outputs)
    inputs = {source: source.type(name=source.name) for source in _frontier(products)}
    replaced: list[Any] = clone_replace(products, inputs, rebuild_strict=False)
    return replaced, {new: source for source, new in inputs.items()}


def value_of(source: Any) -> Any:
    """Return the value, of this moment, of shared data, a constant or what is computed of them."""
    if isinstance(source, Constant):
        return source.data
    if isinstance(source, SharedVariable):
        return source.get_value(borrow=True)
    return source.eval(mode="FAST_COMPILE")


def _with_products(outputs: Sequence[Any]) -> list[Any]:
    """Write each product of a sparse and a dense factor as one with the sparse factor first."""
    known: dict[Any, Any] = {}
    for node in toposort(outputs):
        inputs: list[Any] = [known.get(variable, variable) for variable in node.inputs]
        if _is_product(node):
            x, y = inputs
            made: Any = _PRODUCT(x, y) if is_sparse(x) else _from_the_left(x, y)
            known[node.outputs[0]] = node.outputs[0].type.filter_variable(made)
        elif any(new is not old for new, old in zip(inputs, node.inputs, strict=True)):
            new_outputs = node.clone_with_new_inputs(inputs, strict=False).outputs
            known |= zip(node.outputs, new_outputs, strict=True)
    return [known.get(output, output) for output in outputs]


def _from_the_left(dense: Any, matrix: Any) -> Any:
    owner = matrix.owner
    if owner is not None and isinstance(owner.op, Transpose):
        transposed = owner.inputs[0]
    else:
        transposed = transpose(matrix)
    product: Any = _PRODUCT(transposed, dense.T)
    return product.T


def _is_product(node: Apply) -> bool:
    op = node.op
    multiplies = isinstance(op, Dot | StructuredDot) or (
        isinstance(op, Blockwise) and isinstance(op.core_op, DenseDot)
    )
    return multiplies and not is_sparse(node.outputs[0]) and sum(map(is_sparse, node.inputs)) == 1


def _frontier(outputs: Sequence[Any]) -> list[Any]:
    """Find the last variables that depend on sparse matrices, and on data alone."""
    nodes = list(toposort(outputs))
    data: set[Variable] = {
        variable
        for node in nodes
        for variable in node.inputs
        if isinstance(variable, Constant | SharedVariable)
    }
    sparse = {variable for variable in ancestors(outputs) if is_sparse(variable)}
    for node in nodes:
        if all(variable in data for variable in node.inputs):
            data.update(node.outputs)
            if not sparse.isdisjoint(node.inputs):
                sparse.update(out for out in node.outputs if _is_float(out))
    read = [v for node in nodes if node.outputs[0] not in data for v in node.inputs]
    return [v for v in dict.fromkeys([*read, *outputs]) if v in data and v in sparse]


def _is_float(variable: Any) -> bool:
    # Integers may be lengths, which stay in the graph.
    return np.dtype(getattr(variable.type, "dtype", "int64")).kind == "f"
