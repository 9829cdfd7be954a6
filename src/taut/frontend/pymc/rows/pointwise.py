"""The log likelihood of each row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from taut.errors import ModelError
from taut.frontend.pymc.expressions import on_flat_vector
from taut.frontend.pymc.graph import DataInputs, lift_data, log_factors, with_all_rows
from taut.frontend.pymc.lift import INEXPRESSIBLE, data_arrays
from taut.frontend.pymc.lift.jaxify import jaxify
from taut.frontend.pymc.rows.row_graph import RowGraph
from taut.target import Space


def observed_factors(model: Any) -> dict[str, Any]:
    """Build the log density of each observed variable, not summed, in the value variables."""
    free, names = len(model.free_RVs), [rv.name for rv in model.observed_RVs]
    factors = with_all_rows(*log_factors(model))[free : free + len(names)]
    return dict(zip(names, factors, strict=True))


@dataclass(frozen=True, eq=False)
class RowFactors:
    """The log densities of the rows of a batch as a JAX function.

    Parameters
    ----------
    names
        Of the observed variables.
    function
        ``function(z, *data, *rows)``.
    data
        Other data than rows.
    """

    names: tuple[str, ...]
    function: Any
    data: DataInputs

    def arrays(self) -> tuple[Array, ...]:
        """Copy the data of this moment to the device."""
        return data_arrays(self.data)

    def __call__(
        self, z: Float[Array, " dim"], data: PyTree, rows: Sequence[Array]
    ) -> tuple[Array, ...]:
        return tuple(jnp.asarray(out) for out in self.function(z, *data, *rows))


def row_factors(model: Any, space: Space, graph: RowGraph) -> RowFactors:
    """Turn the pointwise densities of the one group of a graph into a function.

    Raises
    ------
    ModelError
        JAX can not express them.
    """
    [group] = graph.groups
    z, nodes = on_flat_vector(model, list(group.observed.values()), space)
    data = lift_data(nodes)
    try:
        function = jaxify([z, *data.inputs, *group.inputs], data.outputs, model.check_bounds)
    except INEXPRESSIBLE as error:
        raise ModelError(
            f"JAX can not evaluate the log likelihood of {group.names}: "
            f"{str(error).splitlines()[0]}"
        ) from error
    return RowFactors(tuple(group.observed), function, data)
