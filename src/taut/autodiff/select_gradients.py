"""Derivatives of what a select leaves out are zero, also where they are not finite.

JAX differentiates every case of a select and multiplies what was not selected by zero, which gives
no number where a derivative is infinite: ``where(x == 0, 0, y * log(x))`` at x = 0. Here an
operation that feeds only such a case reads its operands through ``select(selected, operand,
stop_gradient(operand))``. Values stay the same to the bit, and XLA drops the select from them;
derivatives of any order and in either direction pass a select on their way in and on their way out.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from taut.autodiff.corners import WITH_KINKS
from taut.autodiff.select_flow import Guards, find_guards
from taut.autodiff.select_masks import Mask, spread

_GUARDED = frozenset({"select_n", *WITH_KINKS})


def guard_selects(
    function: Callable[..., PyTree], differentiated: int, *, is_sum: bool = True
) -> Callable[..., PyTree]:
    """Make the derivatives of a function ignore what its selects leave out.

    Parameters
    ----------
    function
        A function of arrays that JAX can trace.
    differentiated
        How many of its first arguments derivatives are taken by.
    is_sum
        Whether its results are log densities: where they are minus infinity, because a term of
        theirs is, derivatives do not matter, and selects of such terms need no guard.

    Returns
    -------
    function
        One with the same values.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from taut.autodiff import guard_selects
    >>> def log_power(x, y):
    ...     return jnp.where(x == 0, 0.0, y * jnp.log(x))
    >>> float(jax.grad(log_power)(0.0, 0.0)), float(jax.grad(guard_selects(log_power, 1))(0.0, 0.0))
    (nan, 0.0)
    """
    traced: dict[Any, Callable[..., Any]] = {}

    def guarded(*args: PyTree) -> PyTree:
        leaves, structure = jax.tree.flatten(args)
        key = structure, tuple(map(_kind, leaves)), jax.config.jax_enable_x64
        if key not in traced:
            first = len(jax.tree.leaves(args[:differentiated]))
            traced[key] = _guarded(function, args, first, is_sum)
        return traced[key](*args)

    return guarded


def _kind(leaf: Any) -> Any:
    aval = jax.typeof(leaf)
    return aval.shape, aval.dtype, getattr(aval, "weak_type", False)


def _guarded(
    function: Callable[..., PyTree], args: tuple[PyTree, ...], first: int, is_sum: bool
) -> Callable[..., PyTree]:
    """Guard the function for arguments of these shapes; return it as it is if none is needed."""
    kinds = jax.tree.map(jax.typeof, args)
    jaxpr, shapes = jax.make_jaxpr(function, return_shape=True)(*kinds)
    structure = jax.tree.structure(shapes)
    is_free = [i < first for i in range(len(jaxpr.jaxpr.invars))]
    closed = guard(jaxpr, is_free, is_sum=is_sum)
    if closed is jaxpr:
        return function
    evaluate = jex.jaxpr_as_fun(closed)
    return lambda *args: jax.tree.unflatten(structure, evaluate(*jax.tree.leaves(args)))


def guard(
    jaxpr: jex.ClosedJaxpr, differentiated: Sequence[bool], *, is_sum: bool
) -> jex.ClosedJaxpr:
    """Guard the selects of a program, and those in the bodies of its loops.

    Parameters
    ----------
    jaxpr
        The program.
    differentiated
        By which of its arguments.
    is_sum
        Whether its results are log densities, which may be minus infinity.

    Returns
    -------
    jaxpr
        The same one where there is nothing to guard.
    """
    if not any(differentiated) or not _has(jaxpr.jaxpr, _GUARDED):
        return jaxpr
    kinds = [var.aval for var in jaxpr.jaxpr.invars]
    flat = jax.make_jaxpr(lambda *args: _inline(jaxpr.jaxpr, jaxpr.consts, args))(*kinds)
    guards = find_guards(flat, differentiated, is_sum=is_sum)
    bodies = {
        number: body
        for number, equation in enumerate(flat.jaxpr.eqns)
        if (body := _guarded_bodies(equation)) is not equation.params
    }
    if not guards.of and not bodies and not _has(flat.jaxpr, WITH_KINKS.keys()):
        return jaxpr
    return jax.make_jaxpr(lambda *args: _evaluate(flat, guards, bodies, args))(*kinds)


def _has(jaxpr: jex.Jaxpr, names: Collection[str]) -> bool:
    return any(
        equation.primitive.name in names
        or any(_has(part, names) for part in jex.jaxprs_in_params(equation.params))
        for equation in jaxpr.eqns
    )


def _guarded_bodies(equation: jex.JaxprEqn) -> dict[str, Any]:
    """Guard the body of a scan; the same parameters where there is nothing to guard."""
    if equation.primitive.name != "scan":
        return equation.params
    body = equation.params["jaxpr"]
    guarded = guard(body, [True] * len(body.jaxpr.invars), is_sum=False)
    return equation.params if guarded is body else equation.params | {"jaxpr": guarded}


def _inline(jaxpr: jex.Jaxpr, consts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
    """Evaluate a program, calls of compiled functions one operation at a time."""
    known: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    known |= zip(jaxpr.invars, args, strict=True)
    for equation in jaxpr.eqns:
        operands = [_read(known, operand) for operand in equation.invars]
        if equation.primitive.name == "jit":
            body = equation.params["jaxpr"]
            results = _inline(body.jaxpr, body.consts, operands)
        else:
            results = _bind(equation, equation.params, operands)
        known |= zip(equation.outvars, results, strict=True)
    return [_read(known, result) for result in jaxpr.outvars]


def _bind(equation: jex.JaxprEqn, params: dict[str, Any], operands: list[Any]) -> list[Any]:
    if equation.primitive.name in WITH_KINKS and _is_real(operands):
        return [WITH_KINKS[equation.primitive.name](*operands)]
    params = equation.primitive.get_bind_params(params)
    result = equation.primitive.bind(*operands, **params)
    return result if equation.primitive.multiple_results else [result]


def _is_real(operands: list[Any]) -> bool:
    return all(jnp.issubdtype(jax.typeof(operand).dtype, jnp.floating) for operand in operands)


def _read(known: dict[Any, Any], operand: Any) -> Any:
    return known[operand] if isinstance(operand, jex.Var) else operand.val


def _evaluate(
    program: jex.ClosedJaxpr, guards: Guards, bodies: dict[int, Any], args: Sequence[Any]
) -> list[Any]:
    """Evaluate a program with guards; what masks are computed from comes first, without any."""
    start = dict(zip(program.jaxpr.constvars, program.consts, strict=True))
    start |= zip(program.jaxpr.invars, args, strict=True)
    bare, known = dict(start), dict(start)
    made: dict[Mask, Array] = {}
    equations = [
        (equation, bodies.get(number, equation.params), guards.of.get(number, {}))
        for number, equation in enumerate(program.jaxpr.eqns)
    ]
    for equation, params, _ in equations:
        if not guards.read.isdisjoint(equation.outvars):
            operands = [_read(bare, operand) for operand in equation.invars]
            bare |= zip(equation.outvars, _bind(equation, params, operands), strict=True)
    for equation, params, masks in equations:
        operands = [_read(known, operand) for operand in equation.invars]
        for place, mask in masks.items():
            operands[place] = _shielded(operands[place], mask.evaluate(bare, made))
        results = _computed_before(equation, operands, bare)
        known |= zip(equation.outvars, results or _bind(equation, params, operands), strict=True)
    return [_read(known, result) for result in program.jaxpr.outvars]


def _computed_before(
    equation: jex.JaxprEqn, operands: list[Any], bare: dict[Any, Any]
) -> list[Any] | None:
    """Return the results without guards, or `None` if an operand has one."""
    is_same = all(
        _read(bare, operand) is value if operand in bare else False
        for operand, value in zip(equation.invars, operands, strict=True)
        if isinstance(operand, jex.Var)
    )
    if not is_same or not all(made in bare for made in equation.outvars):
        return None
    return [bare[made] for made in equation.outvars]


def _shielded(operand: Array, mask: Array) -> Array:
    mask = spread(mask, operand.shape)
    return jax.lax.select_n(mask, jax.lax.stop_gradient(operand), operand)
