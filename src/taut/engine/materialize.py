"""Arrays that many operations read are computed once.

XLA computes an element anew in each kernel that reads it. In a model whose mean is a sum of a
hundred terms each parameter's derivative is such a kernel, and reads the residuals, which are
computed from all hundred terms: time to compile and to run grows with the square of their number.
"""

import functools
import math
import operator
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.extend.core as jex

# Readers from which on an array is kept. Below, models gained nothing.
_MANY_READERS = 8
# What costs nothing to compute anew.
_FREE = frozenset({"broadcast_in_dim", "iota"})


def keep_what_is_read_often(jaxpr: jex.Jaxpr) -> jex.Jaxpr:
    """Put barriers behind operations whose results many others read, in the bodies of loops too.

    Parameters
    ----------
    jaxpr
        A program.

    Returns
    -------
    jaxpr
        The same one where nothing in it is read often.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from taut.engine.materialize import keep_what_is_read_often
    >>> def read(x, times):
    ...     y = jnp.sin(x)
    ...     return [y * i for i in range(times)]
    >>> few, many = (jax.make_jaxpr(lambda x: read(x, n))(jnp.ones(3)) for n in (2, 20))
    >>> keep_what_is_read_often(few) is few
    True
    >>> keep_what_is_read_often(many).eqns[1].primitive
    optimization_barrier
    """
    often = _read_often(jaxpr)
    renamed: dict[jex.Var, jex.Var] = {}
    equations: list[jex.JaxprEqn] = []
    for equation in jaxpr.eqns:
        equations.append(_rewritten(equation, renamed))
        for made in filter(often.__contains__, equation.outvars):
            renamed[made] = jex.Var(made.aval)
            equations.append(_barrier(made, renamed[made]))
    if not renamed and all(map(operator.is_, equations, jaxpr.eqns)):
        return jaxpr
    return jaxpr.replace(eqns=equations, outvars=_read(jaxpr.outvars, renamed))


def _read_often(jaxpr: jex.Jaxpr) -> set[jex.Var]:
    """Find the arrays of several elements that many operations read."""
    readers: Counter[jex.Var] = Counter()
    for equation in jaxpr.eqns:
        readers.update({operand for operand in equation.invars if isinstance(operand, jex.Var)})
    made = {var for equation in jaxpr.eqns if not _is_free(equation) for var in equation.outvars}
    return {var for var, count in readers.items() if count >= _MANY_READERS and var in made}


def _is_free(equation: jex.JaxprEqn) -> bool:
    shapes = (getattr(made.aval, "shape", ()) for made in equation.outvars)
    return equation.primitive.name in _FREE or all(math.prod(shape) == 1 for shape in shapes)


def _rewritten(equation: jex.JaxprEqn, renamed: Mapping[jex.Var, jex.Var]) -> jex.JaxprEqn:
    """Read what is kept, and do the same to bodies of loops; the same one if neither is due."""
    operands = _read(equation.invars, renamed)
    params = {name: _bodies(value) for name, value in equation.params.items()}
    is_same = all(params[name] is value for name, value in equation.params.items())
    if is_same and operands == equation.invars:
        return equation
    return equation.replace(invars=operands, params=params)


def _bodies(value: Any) -> Any:
    if isinstance(value, jex.Jaxpr):
        return keep_what_is_read_often(value)
    if type(value) is tuple:
        parts = tuple(map(_bodies, value))
        return value if all(map(operator.is_, parts, value)) else parts
    return value


def _read(operands: Iterable[Any], renamed: Mapping[jex.Var, jex.Var]) -> list[Any]:
    return [renamed.get(each, each) if isinstance(each, jex.Var) else each for each in operands]


def _barrier(made: jex.Var, kept: jex.Var) -> jex.JaxprEqn:
    return jex.new_jaxpr_eqn([made], [kept], _primitive(), {}, set())


@functools.cache
def _primitive() -> Any:
    """Return the primitive, which JAX does not export."""
    (equation,) = jax.make_jaxpr(jax.lax.optimization_barrier)(0.0).eqns
    return equation.primitive
