"""Indices that reach beyond what they pick from, of which JAX says nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pytensor.graph.traversal import ancestors
from pytensor.tensor.subtensor import BaseSubtensor

from taut.frontend.pymc.expressions.evaluate import LiftedExpression
from taut.frontend.pymc.expressions.own_noise import numpy_generators
from taut.frontend.pymc.lift import interpreted, interpreted_function


def out_of_range(lifted: LiftedExpression, more_replacements: Mapping[Any, Any]) -> str | None:
    """Say which index of the data is too large, if one is; JAX would take the last element for it.

    Parameters
    ----------
    lifted
        Expressions.
    more_replacements
        The arrays that replace variables in them.
    """
    picked = _picked(lifted.nodes)
    if not picked:
        return None
    inputs = [lifted.z, *lifted.replaced.values(), *lifted.generators]
    given = [np.asarray(more_replacements[key]) for key in lifted.replaced]
    words = np.zeros((len(lifted.generators), 2), np.uint32)
    at = np.zeros(lifted.z.type.shape, lifted.z.dtype)
    function = interpreted_function(inputs, picked, rewrites=False)
    try:
        with interpreted():
            function(at, *given, *numpy_generators(words))
    except IndexError as error:
        return str(error).splitlines()[0]
    return None


def _picked(nodes: Sequence[Any]) -> list[Any]:
    """List what is picked by indices that are no constants."""
    return [
        variable
        for variable in ancestors(nodes)
        if variable.owner is not None
        and isinstance(variable.owner.op, BaseSubtensor)
        and any(not hasattr(index, "data") for index in variable.owner.inputs[1:])
    ]
