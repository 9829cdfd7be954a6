"""The operations of a model that have no gradient, and what to do about them."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytensor
from pytensor.gradient import DisconnectedInputError, NullTypeGradError
from pytensor.graph.basic import Apply
from pytensor.graph.traversal import ancestors, toposort

from taut.errors import ModelError
from taut.frontend.pymc.graph import ModelGraph

# What PyTensor raises where an operation has no gradient, or says that it is unknown.
WITHOUT_GRADIENT = (NotImplementedError, NullTypeGradError, AttributeError)


def no_gradient(
    model: Any, graph: ModelGraph, terms: Sequence[Any], reason: Exception
) -> ModelError:
    """Make the error for a density that neither JAX nor PyTensor differentiates.

    Parameters
    ----------
    model
        The model.
    graph
        Its graph.
    terms
        Its terms, as they were to be differentiated.
    reason
        What PyTensor says.
    """
    ops = {_name(node): node.op for node in _without_gradient(terms, graph.values)}
    if not ops:
        first_line = str(reason).strip().split("\n")[0]
        return ModelError(f"The model's log density has no gradient: {first_line}")
    names, kinds = ", ".join(ops), sorted({type(op).__name__ for op in ops.values()})
    one = kinds[0]
    return ModelError(
        f"The model's log density has no gradient: {names} has neither a JAX version nor a "
        f"gradient{_places(model, graph, ops)}. Write it with PyTensor's functions; or give the "
        f"class {one} a method `pullback`; or tell JAX what it does, by\n\n"
        f"    @pytensor.link.jax.dispatch.jax_funcify.register({one})\n"
        f"    def _(op, **kwargs):\n"
        f"        return lambda *inputs: ...  # in jax.numpy\n\n"
        "Without a gradient no variational method works: pymc.sample_smc needs none."
    )


def _without_gradient(terms: Sequence[Any], values: Sequence[Any]) -> Iterator[Apply]:
    """Find the operations on unknowns of which PyTensor has no gradient."""
    live = set(values)
    for node in toposort(terms):
        if live.isdisjoint(node.inputs):
            continue
        real = [i for i, made in enumerate(node.outputs) if _is_real(made)]
        live.update(node.outputs[i] for i in real)
        if real and not _has_gradient(node, [i for i, x in enumerate(node.inputs) if x in live]):
            yield node


def _has_gradient(node: Apply, places: Sequence[int]) -> bool:
    fresh = [
        variable.type() if place in places else variable
        for place, variable in enumerate(node.inputs)
    ]
    outputs = node.clone_with_new_inputs(fresh).outputs
    known = {made: made.type() for made in outputs if _is_real(made)}
    try:
        pytensor.grad(None, [fresh[place] for place in places], known_grads=known)
    except DisconnectedInputError:
        # What nothing flows through, such as a comparison, has a gradient of zero.
        return True
    except WITHOUT_GRADIENT:
        return False
    return True


def _is_real(variable: Any) -> bool:
    return np.dtype(getattr(variable.type, "dtype", None) or bool).kind == "f"


def _name(node: Apply) -> str:
    op = getattr(node.op, "core_op", node.op)
    return type(getattr(op, "scalar_op", op)).__name__


def _places(model: Any, graph: ModelGraph, ops: Any) -> str:
    """Name the variables of the model in whose densities the operations are."""
    variables = [*model.free_RVs, *model.observed_RVs, *model.potentials]
    found = [
        repr(variable.name)
        for variable, factor in zip(variables, graph.factors, strict=False)
        if any(v.owner is not None and _name(v.owner) in ops for v in ancestors([factor]))
    ]
    return f" (in the density of {', '.join(found)})" if found else ""
