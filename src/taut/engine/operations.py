"""Operations of a function, counted: what decides how much of it a fit can afford.

A clock would decide otherwise on every machine, and on a busy one.
"""

import math
from collections.abc import Iterable
from typing import Any

import jax
import jax.extend.core as jex
from jaxtyping import PyTree

from taut.engine.equations import calls_of, products, shape_of

# Operations that an element of the result takes where it is not one: of what a processor has no
# instruction for, of special functions, which are series of some dozens of terms, and of sorts.
_MANY = {
    **dict.fromkeys(("div", "sqrt", "rsqrt", "rem", "cbrt"), 4.0),
    **dict.fromkeys(("exp", "exp2", "expm1", "log", "log1p", "logistic", "tanh"), 15.0),
    **dict.fromkeys(("sin", "cos", "tan", "sinh", "cosh", "asin", "acos", "atan", "atan2"), 20.0),
    **dict.fromkeys(("asinh", "acosh", "atanh", "erf", "erfc", "erf_inv", "pow"), 30.0),
    **dict.fromkeys(("lgamma", "digamma", "bessel_i0e", "bessel_i1e", "sort", "top_k"), 300.0),
    **dict.fromkeys(("polygamma", "zeta", "igamma", "igammac", "igamma_grad_a"), 1000.0),
    **dict.fromkeys(("regularized_incomplete_beta", "random_gamma_grad"), 2000.0),
}
# Operations on square matrices of n rows, as a share of n³, and for a multiplication of a product
# of matrices: several of them are one instruction.
_OF_CUBE = {
    **dict.fromkeys(("cholesky", "cholesky_update"), 1 / 3),
    **dict.fromkeys(("lu", "qr", "geqrf", "householder_product", "ormqr"), 4 / 3),
    **dict.fromkeys(("eig", "eigh", "svd", "schur", "hessenberg"), 20.0),
}
_OF_PRODUCT = 0.5
# What Python evaluates inside of a program, by the call; and what each turn of a loop takes.
_CALLBACKS = frozenset({"pure_callback", "io_callback"})
_CALLBACK, _TURN = 500_000.0, 20.0


def operations(function: Any, *args: PyTree) -> float:
    """Count the operations of a call that depend on its arguments.

    Loops count as often as they are known to run. What does not depend on the arguments, such as
    the Cholesky factor of a matrix of data, is computed once for many calls and does not count.

    Parameters
    ----------
    function
        What is called.
    *args
        Arguments, or such of their shapes.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from taut.engine.operations import operations
    >>> operations(lambda x: (x * x).sum() + jnp.exp(jnp.ones(7)).sum(), jnp.ones(100))
    201.0
    """
    jaxpr = jax.make_jaxpr(function)(*args).jaxpr
    return operations_of(jaxpr, jaxpr.invars)


def operations_of(jaxpr: jex.Jaxpr, changing: Iterable[Any]) -> float:
    """Count the operations of a traced function that depend on some of its variables."""
    changing, total = set(changing), 0.0
    for equation in jaxpr.eqns:
        inputs = [_is_in(operand, changing) for operand in equation.invars]
        if any(inputs):
            total += _of_equation(equation, inputs)
            changing.update(equation.outvars)
    return total


def _is_in(operand: Any, variables: set[Any]) -> bool:
    return not isinstance(operand, jex.Literal) and operand in variables


def _of_equation(equation: jex.JaxprEqn, inputs: list[bool]) -> float:
    inside = list(jex.jaxprs_in_params(equation.params))
    if not inside:
        return _of_operation(equation)
    if len(inside) == 1 and len(inside[0].invars) == len(inputs):
        pairs = zip(inside[0].invars, inputs, strict=True)
        total = operations_of(inside[0], [variable for variable, changes in pairs if changes])
    else:
        total = sum(operations_of(part, part.invars) for part in inside)
    if equation.primitive.name == "shard_map":
        # Each device does it, with a part of the rows.
        return total * equation.params["mesh"].size
    turns = calls_of(equation)
    return turns * total + (_TURN * turns if equation.primitive.name in ("scan", "while") else 0.0)


def _of_operation(equation: jex.JaxprEqn) -> float:
    name = equation.primitive.name
    if name in _CALLBACKS:
        return _CALLBACK
    if name == "dot_general":
        return _OF_PRODUCT * products(equation)
    if name in _OF_CUBE:
        shape = shape_of(equation.invars[0])
        return _OF_CUBE[name] * math.prod(shape) * shape[-1]
    if name == "triangular_solve":
        return float(_elements(equation.invars[1]) * shape_of(equation.invars[0])[-1])
    return _MANY.get(name, 1.0) * max(map(_elements, (*equation.outvars, *equation.invars)))


def _elements(operand: Any) -> int:
    return math.prod(shape_of(operand))
