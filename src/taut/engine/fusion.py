"""Functions over whose calls XLA makes a loop that is one kernel of a CPU.

XLA compiles a program for CPUs kernel by kernel, at some ten milliseconds each, and a function that
is vectorised over points has dozens. A loop over the points instead is a single kernel, which
compiles in a third of the time and runs as fast, unless something in it has to be called out for.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.extend.core as jex
from jaxtyping import PyTree

from taut.engine.equations import equations_of, products, shape_of

# What XLA does not put into such a kernel: sorts, and what libraries or Python compute.
_CALLED_OUT = frozenset(
    {
        *("cholesky", "cholesky_update", "eig", "eigh", "geqrf", "hessenberg", "lu", "ormqr", "qr"),
        *("householder_product", "lu_pivots_to_permutation", "schur", "svd", "symmetric_product"),
        *("triangular_solve", "tridiagonal", "tridiagonal_solve"),
        *("approx_top_k", "conv_general_dilated", "fft", "sort", "top_k"),
        *("custom_call", "ffi_call", "io_callback", "pure_callback"),
        # For what devices tell one another.
        *("psum", "psum_invariant"),
    }
)
# Multiplications in matrix products of a call from which on it is quicker for many points at once,
# and elements of an array that are worth more than the one core which such a kernel runs on.
_MANY_PRODUCTS, _MANY_ELEMENTS = 100_000, 10_000


@dataclass(frozen=True)
class Traced:
    """A function that was traced once, and is evaluated by what was found.

    Parameters
    ----------
    jaxpr
        What the function does.
    structure
        Of its result.
    is_one_kernel
        Whether a loop over calls is best.
    multiplications
        Of the matrix products in a call.
    """

    jaxpr: jex.ClosedJaxpr
    structure: Any
    is_one_kernel: bool
    multiplications: int

    def __call__(self, *args: PyTree) -> PyTree:
        leaves = jex.jaxpr_as_fun(self.jaxpr)(*jax.tree.leaves(args))
        return jax.tree.unflatten(self.structure, leaves)


def trace(function: Callable[..., PyTree], *args: PyTree) -> Traced:
    """Trace a function, and find out whether a loop over its calls becomes one kernel.

    Parameters
    ----------
    function
        What is called.
    *args
        Arguments, or such of their shapes.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from taut.engine import trace
    >>> trace(jnp.sin, 1.0).is_one_kernel, trace(jnp.linalg.cholesky, jnp.eye(2)).is_one_kernel
    (True, False)
    """
    jaxpr, shapes = jax.make_jaxpr(function, return_shape=True)(*args)
    on_cpu, structure = jax.default_backend() == "cpu", jax.tree.structure(shapes)
    multiplications = _multiplications(jaxpr.jaxpr)
    is_small = on_cpu and multiplications <= _MANY_PRODUCTS
    return Traced(jaxpr, structure, is_small and _is_one_kernel(jaxpr.jaxpr), multiplications)


def _multiplications(jaxpr: jex.Jaxpr) -> int:
    return sum(
        int(calls * products(equation))
        for equation, calls in equations_of(jaxpr)
        if equation.primitive.name == "dot_general"
    )


def _is_one_kernel(jaxpr: jex.Jaxpr) -> bool:
    for equation, _ in equations_of(jaxpr):
        name = equation.primitive.name
        if name in _CALLED_OUT or (name.startswith("scatter") and _is_at_many(equation)):
            return False
        if any(math.prod(shape_of(made)) > _MANY_ELEMENTS for made in equation.outvars):
            return False
    return True


def _is_at_many(scatter: jex.JaxprEqn) -> bool:
    """Check whether it writes to several places; XLA makes an update of a slice of any other."""
    return math.prod(shape_of(scatter.invars[1])[:-1]) > 1
