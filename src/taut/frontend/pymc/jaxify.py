"""From a PyTensor graph to a JAX function."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
from pytensor.graph.basic import Variable
from pytensor.graph.fg import FunctionGraph


def jaxify(
    inputs: Sequence[Variable], outputs: Sequence[Variable], check_bounds: bool = True
) -> Callable[..., Sequence[Any]]:
    """Rewrite a graph for JAX and turn it into a function of its inputs.

    Parameters
    ----------
    inputs, outputs
        The graph; every root of it that is no constant is among the inputs.
    check_bounds
        Whether parameters out of bounds give a density of zero (PyMC's ``Model.check_bounds``),
        or are not looked at.

    Raises
    ------
    NotImplementedError
        PyTensor has no JAX version of an op in the graph.
    """
    dispatch, mode = load_backend()
    checks = (
        "local_check_parameter_to_ninf_switch" if check_bounds else "local_remove_check_parameter"
    )
    graph = FunctionGraph(list(inputs), list(outputs), clone=True)
    mode.including(checks).optimizer.rewrite(graph)
    with warnings.catch_warnings():
        # Assertions can not run in a JAX program; PyTensor says so for each one of them.
        warnings.filterwarnings("ignore", message="Skipping .* Op", category=UserWarning)
        return dispatch(graph)


def load_backend() -> tuple[Callable[..., Any], Any]:
    """Load PyTensor's JAX backend, whose import sets JAX's precision for the whole process.

    The first call has to come from outside any scope of a precision of its own, in which the
    process's setting can not be read.
    """
    before = jax.config.jax_enable_x64
    from pytensor.compile.mode import JAX
    from pytensor.link.jax.dispatch import jax_funcify

    if jax.config.jax_enable_x64 != before:
        jax.config.update("jax_enable_x64", before)
    return jax_funcify, JAX
