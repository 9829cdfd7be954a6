"""The terms that a log density sums, each on its own, as a JAX function."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from taut.autodiff import guard_selects
from taut.frontend.pymc.graph import DataInputs, ModelGraph, lift_data, many_as_one
from taut.frontend.pymc.lift.jaxify import jaxify
from taut.frontend.pymc.lift.lift import INEXPRESSIBLE, data_arrays
from taut.target import Factors, Space


@dataclass(frozen=True, eq=False)
class LiftedFactors:
    """The factors of a model's log density as a function of its value variables and data.

    Parameters
    ----------
    function
        ``function(*values, *data)``.
    data
        The data inputs.
    """

    function: Callable[..., Any]
    data: DataInputs

    def factors(self, space: Space) -> Factors:
        """Return them for the data of this moment."""
        return Factors(_OfVector(self.function, space), data_arrays(self.data))


@dataclass(frozen=True)
class _OfVector:
    """The same as a function of one flat vector."""

    function: Callable[..., Any]
    space: Space

    def __call__(self, z: Float[Array, " dim"], *data: Array) -> tuple[Array, ...]:
        values = self.space.unravel(jnp.asarray(z)).values()
        return tuple(jnp.asarray(one) for one in self.function(*values, *data))


def lift_factors(graph: ModelGraph, check_bounds: bool, space: Space) -> LiftedFactors | None:
    """Lift the factors of a model; `None` where JAX can not evaluate them.

    Parameters
    ----------
    graph
        The model's graphs.
    check_bounds
        The model's setting.
    space
        The value variables.
    """
    for freeze_shapes in (False, True):
        data = lift_data(many_as_one(graph.factors), freeze_shapes)
        try:
            function = jaxify([*graph.values, *data.inputs], data.outputs, check_bounds)
            function = guard_selects(function, len(graph.values), is_sum=False)
            lifted = LiftedFactors(function, data)
            found = lifted.factors(space)
            jax.eval_shape(found, jax.ShapeDtypeStruct((space.dim,), _dtype(graph)))
            return lifted
        except INEXPRESSIBLE:
            continue
    return None


def _dtype(graph: ModelGraph) -> Any:
    return graph.values[0].type.dtype
