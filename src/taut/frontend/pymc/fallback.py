"""PyTensor's own compiled functions inside a JAX program, for graphs JAX can not express."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytensor
from jaxtyping import Array, PyTree
from pymc.pytensorf import compile as compile_function
from pytensor.graph.basic import Variable

from taut.frontend.pymc.graph import ModelGraph


def terms_by_callback(graph: ModelGraph) -> Callable[..., tuple[Array, Array]]:
    """Evaluate a model's terms by PyTensor, with its gradient as a custom derivative.

    The function takes the value variables and the batch inputs; the data stay in the shared
    variables and constants of the graph, which PyTensor reads at each call.
    """
    inputs = [*graph.values, *graph.batch_inputs]
    dtype = np.dtype(pytensor.config.floatX)
    weights = [pytensor.tensor.scalar(dtype=dtype), pytensor.tensor.scalar(dtype=dtype)]
    weighted = weights[0] * graph.terms[0] + weights[1] * graph.terms[1]
    gradient = pytensor.grad(weighted, graph.values, disconnected_inputs="ignore")
    forward, backward = _Host(inputs, graph.terms), _Host([*inputs, *weights], gradient)
    count = len(graph.values)

    @jax.custom_vjp
    def terms(*args: Array) -> tuple[Array, Array]:
        prior, likelihood = forward([jax.ShapeDtypeStruct((), dtype)] * 2, *args)
        return prior, likelihood

    def terms_forward(*args: Array) -> tuple[tuple[Array, Array], tuple[Array, ...]]:
        return terms(*args), args

    def terms_backward(args: tuple[Array, ...], cotangents: PyTree) -> tuple[Any, ...]:
        values, batch = args[:count], args[count:]
        results = [jax.ShapeDtypeStruct(value.shape, dtype) for value in values]
        return (*backward(results, *args, *cotangents), *map(_no_cotangent, batch))

    terms.defvjp(terms_forward, terms_backward)
    return terms


def constrain_by_callback(graph: ModelGraph, *example: np.ndarray) -> Callable[..., Any]:
    """Evaluate the constrained variables by PyTensor; `example` arguments tell their shapes."""
    host = _Host([*graph.values, *graph.batch_inputs], graph.constrained)
    outputs = [np.asarray(out) for out in host.function(*example)]
    results = [jax.ShapeDtypeStruct(out.shape, out.dtype) for out in outputs]
    return lambda *args: host(results, *args)


class _Host:
    """A PyTensor function that can be called from a JAX program."""

    def __init__(self, inputs: list[Variable], outputs: list[Variable]) -> None:
        self.function: Callable[..., Any] = compile_function(
            inputs, outputs, on_unused_input="ignore"
        )
        self._dtypes = [variable.type.dtype for variable in inputs]

    def __call__(self, results: list[jax.ShapeDtypeStruct], *args: Array) -> list[Array]:
        def run(*args: Any) -> list[np.ndarray]:
            arrays = (np.asarray(a, d) for a, d in zip(args, self._dtypes, strict=True))
            outputs = zip(self.function(*arrays), results, strict=True)
            return [np.asarray(out, like.dtype).reshape(like.shape) for out, like in outputs]

        # One draw at a time: PyTensor's function takes no batch of them.
        return jax.pure_callback(run, results, *args, vmap_method="sequential")


def _no_cotangent(arg: Array) -> Any:
    if jnp.issubdtype(arg.dtype, jnp.inexact):
        return jnp.zeros_like(arg)
    return np.zeros(arg.shape, jax.dtypes.float0)
