"""Expressions over an approximation, evaluated at once on JAX."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytensor
from jaxtyping import Array, Float, UInt32
from pytensor.graph.basic import Variable

from taut.engine import Kept, Same
from taut.errors import unwarned
from taut.frontend.pymc.expressions.nodes import in_values, on_flat_vector, warn_if_constant
from taut.frontend.pymc.expressions.own_noise import (
    are_right_on_jax,
    jax_generators,
    lift_generators,
    numpy_generators,
)
from taut.frontend.pymc.graph import DataInputs, lift_data, value_of
from taut.frontend.pymc.lift import INEXPRESSIBLE, on_device
from taut.frontend.pymc.lift.jaxify import jaxify
from taut.target import Space

# Sets of expressions of an approximation that are kept.
_MOST = 64


@dataclass(frozen=True, eq=False)
class LiftedExpression:
    """Expressions of one flat vector as a JAX function, with the data they read.

    Parameters
    ----------
    function
        ``function(z, *data, *generators)``, or `None` where JAX can not express them.
    data
        The data inputs.
    generators
        The inputs for what random variables of the expressions' own draw from.
    replaced
        For each replaced variable that took an array the input that stands for it.
    z, nodes
        The expressions in PyTensor.
    """

    function: Any
    data: DataInputs
    generators: list[Variable]
    replaced: Mapping[Any, Variable]
    z: Any
    nodes: list[Any]

    def arrays(self, more_replacements: Mapping[Any, Any]) -> tuple[Array, ...]:
        """Copy the data of this moment to the device."""
        given = {self.replaced[key]: value for key, value in more_replacements.items()
                 if key in self.replaced}  # fmt: skip
        return tuple(on_device(_value(source, given)) for source in self.data.sources)

    def __call__(
        self, z: Float[Array, " dim"], data: Sequence[Array], words: UInt32[Array, "generators 2"]
    ) -> tuple[Array, ...]:
        given = (z, *data, *jax_generators(words))
        return tuple(jnp.asarray(out) for out in self.function(*given))

    def by_pytensor(
        self, draws: np.ndarray, words: np.ndarray, more_replacements: Mapping[Any, Any]
    ) -> list[np.ndarray]:
        """Evaluate draw by draw with PyTensor, where JAX can not."""
        inputs = [self.z, *self.replaced.values(), *self.generators]
        with unwarned("Numba will use object mode"):
            # That numba calls back to Python is nothing a user can change.
            function = pytensor.function(inputs, self.nodes, on_unused_input="ignore")
        given = [np.asarray(more_replacements[key]) for key in self.replaced]
        both = zip(draws, words, strict=True)
        rows = [function(z, *given, *numpy_generators(own)) for z, own in both]
        return [np.stack(column) for column in zip(*rows, strict=True)]


class LiftedExpressions:
    """Lifts expressions once for each set of shapes of their replacements.

    Parameters
    ----------
    model
        The model.
    space
        Its value variables in the flat vector.
    """

    def __init__(self, model: Any, space: Space) -> None:
        self._model, self._space = model, space
        self._kept: Kept[Any, LiftedExpression] = Kept(_MOST)

    def __call__(
        self, nodes: Sequence[Any], more_replacements: Mapping[Any, Any]
    ) -> LiftedExpression:
        kinds = ((Same(key), _kind(value)) for key, value in more_replacements.items())
        return self._kept(
            (*map(Same, nodes), *kinds),
            lambda: lift_expression(self._model, self._space, nodes, more_replacements),
            lambda found: found.data.is_current(),
        )


def lift_expression(
    model: Any, space: Space, nodes: Sequence[Any], more_replacements: Mapping[Any, Any]
) -> LiftedExpression:
    """Lift expressions; replacing arrays become inputs, so new ones compile nothing."""
    replaced = {
        key: _input_for(key, value)
        for key, value in more_replacements.items()
        if not isinstance(value, Variable) and isinstance(key, Variable)
    }
    graph = in_values(model, nodes, {**more_replacements, **replaced})
    z, graph = on_flat_vector(model, graph, space)
    warn_if_constant(z, graph)
    graph, generators, _ = lift_generators(graph)
    data = lift_data(graph)
    sources = [*data.sources, *replaced.values()]
    inputs = [*data.inputs, *replaced.values()]
    data = DataInputs(data.outputs, inputs, sources, data.frozen)
    given = _by_input(replaced, more_replacements)
    function = _jax_function(z, data, generators, [_value(source, given) for source in sources])
    return LiftedExpression(function, data, generators, replaced, z, graph)


def _kind(value: Any) -> Any:
    """Describe a replacement by what decides a function: a variable by itself, an array by kind."""
    if hasattr(value, "type"):
        return Same(value)
    return np.shape(value), np.result_type(value)


def _jax_function(z: Any, data: DataInputs, generators: list[Any], values: list[Any]) -> Any:
    """Return the expressions on JAX, or `None` where it can not express them."""
    if not are_right_on_jax(data.outputs):
        return None
    flat = jax.ShapeDtypeStruct(z.type.shape, z.type.dtype)
    words = jax.ShapeDtypeStruct((len(generators), 2), np.uint32)
    try:
        function = jaxify([z, *data.inputs, *generators], data.outputs)
        jax.eval_shape(
            lambda z, data, words: function(z, *data, *jax_generators(words)),
            flat, [on_device(value) for value in values], words,
        )  # fmt: skip
    except INEXPRESSIBLE:
        return None
    return function


def _input_for(key: Any, value: Any) -> Any:
    array = np.asarray(value)
    shape = (None,) * array.ndim
    return pytensor.tensor.TensorType(array.dtype, shape=shape)(name=key.name)


def _by_input(replaced: Mapping[Any, Any], given: Mapping[Any, Any]) -> dict[Any, Any]:
    return {variable: given[key] for key, variable in replaced.items()}


def _value(source: Any, given: Mapping[Any, Any]) -> Any:
    if source in given:
        return np.asarray(given[source])
    return value_of(source)
