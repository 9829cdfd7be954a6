"""PyTensor's own compiled functions inside a JAX program, for graphs JAX can not express."""

import threading
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytensor
from jaxtyping import Array, PyTree
from pymc.pytensorf import compile as compile_function
from pytensor.graph.basic import Variable
from pytensor.graph.replace import clone_replace
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.tensor.math import variadic_add

from taut.engine import remember, remember_error
from taut.errors import unwarned
from taut.frontend.pymc.graph import ModelGraph
from taut.frontend.pymc.lift.split_64_bits import (
    from_host_words,
    from_words,
    to_host_words,
    to_words,
    words_like,
)

# Functions of PyTensor have storage of their own, and ops that users write may have, too.
_ONE_AT_A_TIME = threading.Lock()


def terms_by_callback(graph: ModelGraph) -> Callable[..., tuple[Array, ...]]:
    """Evaluate a model's terms by PyTensor, with its gradient as a custom derivative.

    The function takes the value variables and the batch inputs; the data stay in the shared
    variables and constants of the graph, which PyTensor reads at each call.

    Raises
    ------
    NotImplementedError, TypeError, AttributeError
        PyTensor has no gradient of an operation.
    """
    inputs = [*graph.values, *graph.batch_inputs]
    dtype = np.dtype(pytensor.config.floatX)
    weights: list[Any] = [pytensor.tensor.scalar(dtype=dtype) for _ in graph.terms]
    pairs = zip(weights, lowered(graph.terms), strict=True)
    weighted = variadic_add(*(weight * term for weight, term in pairs))
    gradient: Any = pytensor.grad(weighted, graph.values, disconnected_inputs="ignore")
    forward, backward = _Host(inputs, graph.terms), _Host([*inputs, *weights], gradient)
    count = len(graph.values)

    @jax.custom_vjp
    def terms(*args: Array) -> tuple[Array, ...]:
        return tuple(forward([jax.ShapeDtypeStruct((), dtype)] * len(weights), *args))

    def terms_forward(*args: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        return terms(*args), args

    def terms_backward(args: tuple[Array, ...], cotangents: PyTree) -> tuple[Any, ...]:
        values, batch = args[:count], args[count:]
        results = [jax.ShapeDtypeStruct(value.shape, dtype) for value in values]
        return (*backward(results, *args, *cotangents), *map(_no_cotangent, batch))

    terms.defvjp(terms_forward, terms_backward)
    return terms


def constrain_by_callback(graph: ModelGraph) -> Callable[..., list[Array]]:
    """Evaluate the constrained variables by PyTensor."""
    host = _Host([*graph.values, *graph.batch_inputs], graph.constrained)
    return lambda *args: host(host.results_like(*args), *args)


class _Host:
    """A PyTensor function that can be called from a JAX program."""

    def __init__(self, inputs: list[Variable], outputs: list[Variable]) -> None:
        with unwarned("Numba will use object mode"):
            # taut's own warning has named the op already.
            self.function: Callable[..., Any] = compile_function(
                inputs, outputs, on_unused_input="ignore"
            )
        self._dtypes = [variable.type.dtype for variable in inputs]

    def results_like(self, *args: Array) -> list[jax.ShapeDtypeStruct]:
        """Find the shapes and types of the results for arguments of these shapes."""
        pairs = zip(args, self._dtypes, strict=True)
        outputs = self.function(*(np.zeros(arg.shape, dtype) for arg, dtype in pairs))
        arrays = [np.asarray(out) for out in outputs]
        return [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in arrays]

    def __call__(self, results: list[jax.ShapeDtypeStruct], *args: Array) -> list[Array]:
        sent = [arg.dtype for arg in args]

        def run(*words: Any) -> list[np.ndarray]:
            arrays = [from_host_words(w, dtype) for w, dtype in zip(words, sent, strict=True)]
            arrays = [np.asarray(a, d) for a, d in zip(arrays, self._dtypes, strict=True)]
            try:
                with _ONE_AT_A_TIME:
                    found = self.function(*arrays)
            except KeyboardInterrupt:
                # XLA makes an error of its own of it.
                remember()
                raise
            except Exception as error:
                remember_error(error)
                raise
            outputs = zip(found, results, strict=True)
            return [
                to_host_words(np.asarray(out, like.dtype).reshape(like.shape))
                for out, like in outputs
            ]

        # One draw at a time: PyTensor's function takes no batch of them.
        received = jax.pure_callback(
            run, [words_like(like) for like in results], *map(to_words, args),
            vmap_method="sequential",
        )  # fmt: skip
        return [from_words(w, like.dtype) for w, like in zip(received, results, strict=True)]


def lowered(outputs: list[Any]) -> Any:
    """Rewrite ops on named dims, which have no gradient, to ops that have."""
    return rewrite_graph(clone_replace(outputs, {}), include=("lower_xtensor",), clone=False)


def _no_cotangent(arg: Array) -> Any:
    if jnp.issubdtype(arg.dtype, jnp.inexact):
        return jnp.zeros_like(arg)
    return np.zeros(arg.shape, jax.dtypes.float0)
