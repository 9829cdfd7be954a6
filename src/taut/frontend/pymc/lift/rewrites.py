"""Graph rewrites after PyTensor's own, for sums over rows of data.

A log density sums, over rows, expressions of which only a part depends on the row: bounds checks,
log scales, squared scales. XLA computes that part for each row, in the value and again in each
gradient. These rewrites take it out of the sum. Results change in the last digits.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Constant
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.rewriting.basic import EquilibriumGraphRewriter, node_rewriter
from pytensor.scalar import basic as scalar
from pytensor.scalar import math as scalar_math
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.math import Sum

# Functions of one argument that are dearer than choosing between two arguments.
_COSTLY = (scalar.Exp, scalar.Log, scalar.Log1p, scalar.Neg, scalar_math.Softplus)


def thin_out_sums(graph: FunctionGraph) -> None:
    """Take out of sums what does not vary over them."""
    rules = [_choose_before_function, _sum_inside_switch, _sum_of_terms, _sum_of_factors]
    EquilibriumGraphRewriter(rules, max_use_ratio=100).rewrite(graph)


@node_rewriter([Elemwise])
def _choose_before_function(graph: FunctionGraph, node: Any) -> list[Any] | None:
    """Rewrite switch(c, f(a), f(b)) to f(switch(c, a, b))."""
    if not isinstance(node.op.scalar_op, scalar.Switch):
        return None
    condition, yes, no = node.inputs
    ours, theirs = yes.owner, no.owner
    if ours is None or theirs is None or ours.op != theirs.op or len(ours.inputs) != 1:
        return None
    if not isinstance(ours.op, Elemwise) or not isinstance(ours.op.scalar_op, _COSTLY):
        return None
    a, b = ours.inputs[0], theirs.inputs[0]
    if a.type.broadcastable != b.type.broadcastable or a.type.dtype != b.type.dtype:
        return None
    return [ours.op(pt.switch(condition, a, b))]


@node_rewriter([Sum])
def _sum_inside_switch(graph: FunctionGraph, node: Any) -> list[Any] | None:
    """Rewrite sum(switch(c, x, -inf)) to switch(c, sum(x), -inf) where c is the same for all."""
    switch, axes = _summed(node, scalar.Switch)
    if switch is None:
        return None
    condition, value, otherwise = switch.inputs
    minus_infinity = isinstance(otherwise, Constant) and np.all(np.isneginf(otherwise.data))
    same = all(condition.type.broadcastable[axis] for axis in axes)
    whole = value.type == node.inputs[0].type
    if not (minus_infinity and same and whole):
        return None
    kept = [axis for axis in range(condition.type.ndim) if axis not in axes]
    total = pt.sum(value, axis=axes)
    return _as_output(node, pt.switch(condition.dimshuffle(kept), total, -np.inf))


@node_rewriter([Sum])
def _sum_of_terms(graph: FunctionGraph, node: Any) -> list[Any] | None:
    """Rewrite sum(x + a) to sum(x) + n sum(a), and likewise for differences."""
    addition, axes = _summed(node, (scalar.Add, scalar.Sub))
    if addition is None:
        return None
    varying = _varying_axes(node, axes)
    if not any(_free_axes(term, varying) for term in addition.inputs):
        return None
    whole = node.inputs[0]

    def total(term: Any) -> Any:
        repeats = [whole.shape[axis] for axis in _free_axes(term, varying)]
        count = pt.cast(pt.prod(pt.stack(repeats)), whole.type.dtype) if repeats else None
        sums = pt.sum(pt.cast(term, whole.type.dtype), axis=axes)
        return sums if count is None else sums * count

    return _as_output(node, addition.op(*map(total, addition.inputs)))


@node_rewriter([Sum])
def _sum_of_factors(graph: FunctionGraph, node: Any) -> list[Any] | None:
    """Rewrite sum(a x) to a sum(x), one axis at a time, and likewise for quotients."""
    product, axes = _summed(node, (scalar.Mul, scalar.TrueDiv, scalar.Sqr))
    if product is None:
        return None
    factors, divisors = _factors(product)
    for axis in _varying_axes(node, axes):
        inside = [factor for factor in factors if not factor.type.broadcastable[axis]]
        outside = [factor for factor in factors if factor.type.broadcastable[axis]]
        free = [divisor for divisor in divisors if divisor.type.broadcastable[axis]]
        if not inside or not (outside or free) or len(free) != len(divisors):
            continue
        dtype = node.inputs[0].type.dtype
        thin = pt.sum(pt.cast(_product(inside), dtype), axis=axis, keepdims=True)
        return _as_output(node, pt.sum(_product([*outside, thin]) / _product(free), axis=axes)
                          if free else pt.sum(_product([*outside, thin]), axis=axes))  # fmt: skip
    return None


def _factors(product: Any) -> tuple[list[Any], list[Any]]:
    """Write a product, a quotient or the square of a quotient as factors and divisors."""
    operation = product.op.scalar_op
    if isinstance(operation, scalar.Mul):
        return list(product.inputs), []
    if isinstance(operation, scalar.TrueDiv):
        return [product.inputs[0]], [product.inputs[1]]
    quotient = product.inputs[0].owner
    if (
        quotient is not None
        and isinstance(quotient.op, Elemwise)
        and isinstance(quotient.op.scalar_op, scalar.TrueDiv)
    ):
        return [pt.sqr(quotient.inputs[0])], [pt.sqr(quotient.inputs[1])]
    return [product.outputs[0]], []


def _product(factors: Sequence[Any]) -> Any:
    return factors[0] if len(factors) == 1 else pt.mul(*factors)


def _summed(node: Any, operations: Any) -> tuple[Any, tuple[int, ...]]:
    """Return the operation whose floats are summed, if it is one of these, and the axes."""
    whole, owner = node.inputs[0], node.inputs[0].owner
    axes = tuple(range(whole.type.ndim)) if node.op.axis is None else tuple(node.op.axis)
    if owner is None or not isinstance(owner.op, Elemwise) or not axes:
        return None, axes
    of_floats = np.dtype(whole.type.dtype).kind == "f"
    return (owner if of_floats and isinstance(owner.op.scalar_op, operations) else None), axes


def _varying_axes(node: Any, axes: Sequence[int]) -> list[int]:
    return [axis for axis in axes if not node.inputs[0].type.broadcastable[axis]]


def _free_axes(variable: Any, axes: Sequence[int]) -> list[int]:
    return [axis for axis in axes if variable.type.broadcastable[axis]]


def _as_output(node: Any, value: Any) -> list[Any] | None:
    """Return a replacement, if it is of the type of what it replaces."""
    wanted = node.outputs[0].type
    same = value.type.dtype == wanted.dtype and value.type.ndim == wanted.ndim
    return [wanted.filter_variable(value)] if same and wanted.is_super(value.type) else None
