"""From a PyTensor graph to a JAX function."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import pytensor
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.scalar.basic import Cast
from pytensor.tensor import cast
from pytensor.tensor.elemwise import Elemwise

from taut.errors import unwarned
from taut.frontend.pymc.lift.eigenvalues import lower_eigenvalues
from taut.frontend.pymc.lift.rewrites import thin_out_sums
from taut.frontend.pymc.lift.sparse_matrix import ON_JAX


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
    thin_out_sums(graph)
    lower_eigenvalues(graph)
    _widen(graph)
    with unwarned("Skipping .* Op"), jax.ensure_compile_time_eval():
        # Assertions can not run in a JAX program; PyTensor says so for each one of them.
        # The scope keeps constants concrete where this is called while JAX traces.
        return _quiet(dispatch(graph, storage_map=_on_device(graph)))


def _on_device(graph: FunctionGraph) -> dict[Variable, list[Any]]:
    """Put constant arrays on the device as they are: PyTensor's way compiles for each shape."""
    constants = {
        variable: variable.data
        for node in graph.apply_nodes
        for variable in node.inputs
        if isinstance(variable, Constant) and isinstance(variable.data, np.ndarray)
    }
    return {variable: [jax.device_put(data)] for variable, data in constants.items() if data.ndim}


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
    known: Any = jax_funcify
    for op in ON_JAX.keys() - known.registry.keys():
        known.register(op, ON_JAX[op])
    return jax_funcify, JAX


def _quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    """Trace without being told, in 32 bits, that the 64 in which PyTensor sums are missing."""

    def quiet(*args: Any) -> Any:
        with unwarned("Explicitly requested dtype .*64"):
            return function(*args)

    return quiet


def _widen(graph: FunctionGraph) -> None:
    """Cast what an elementwise op mixes to the dtype of its result, as NumPy does.

    JAX takes float32 × int64 for float32, and so it does float32 × whatever came of a scalar
    constant, whose dtype PyTensor's JAX backend drops.
    """
    if pytensor.config.floatX != "float64":
        return
    for node in graph.toposort():
        if not isinstance(node.op, Elemwise) or isinstance(node.op.scalar_op, Cast):
            continue
        dtype = node.outputs[0].type.dtype
        for index, variable in enumerate(node.inputs):
            if dtype == "float64" and variable.type.dtype in ("float16", "float32"):
                graph.change_node_input(node, index, cast(variable, dtype), check=False)
