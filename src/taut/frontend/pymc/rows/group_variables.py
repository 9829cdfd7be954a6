"""Variables in their own space that are made of latents of groups, and need no rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import jax
from pytensor.graph.traversal import ancestors

from taut.frontend.pymc.graph import DataInputs, ModelGraph, lift_data
from taut.frontend.pymc.lift import INEXPRESSIBLE, data_arrays
from taut.frontend.pymc.lift.jaxify import jaxify
from taut.frontend.pymc.rows.any_groups import of_any_groups
from taut.frontend.pymc.rows.row_graph import RowGroup
from taut.target import GroupVariables, Space


@final
@dataclass(frozen=True, eq=False)
class LiftedVariables:
    """Variables that are made of latents, lifted once.

    Parameters
    ----------
    function
        ``function(*values, *data)``.
    data
        The data inputs.
    names
        Of the variables.
    dims
        Of each, as the model names them; empty where it does not.
    """

    function: Any
    data: DataInputs
    names: tuple[str, ...]
    dims: tuple[tuple[str | None, ...], ...]

    def variables(self) -> GroupVariables:
        """Return them with the data of this moment."""
        return GroupVariables(self.function, data_arrays(self.data), self.names, self.dims)


def lift_variables(
    model: Any,
    graph: ModelGraph,
    group: RowGroup,
    space: Space,
    latents: Mapping[str, int],
) -> LiftedVariables:
    """Lift what JAX can evaluate of the variables that are made of latents.

    Parameters
    ----------
    model
        The model.
    graph
        Its graphs.
    group
        The rows, of which these variables read nothing.
    space
        The value variables.
    latents
        Those with an element for each of any number of groups, with their axis of these.
    """
    hidden = {value for value in graph.values if value.name in latents}
    of_rows = {array.variable for array in group.arrays}
    of_rows |= {model.dim_lengths[dim] for dim in group.rows.dims}
    kept: dict[str, Any] = {}
    for name, one in zip(graph.names, graph.constrained, strict=True):
        read = set(ancestors([one]))
        if read & hidden and not read & of_rows and _lifted(model, graph, [one], space, latents):
            kept[name] = one
    found = _lifted(model, graph, list(kept.values()), space, latents)
    assert found is not None
    dims = tuple(tuple(model.named_vars_to_dims.get(name, ())) for name in kept)
    return LiftedVariables(*found, tuple(kept), dims)


def _lifted(
    model: Any,
    graph: ModelGraph,
    outputs: Sequence[Any],
    space: Space,
    latents: Mapping[str, int],
) -> tuple[Any, DataInputs] | None:
    """Lift outputs; `None` where JAX can not evaluate them."""
    values, loose = of_any_groups(model, graph.values, outputs, latents)
    for freeze_shapes in (False, True):
        data = lift_data(loose, freeze_shapes)
        try:
            function = jaxify([*values, *data.inputs], data.outputs, model.check_bounds)
            kinds = [jax.ShapeDtypeStruct(slot.shape, values[0].type.dtype) for slot in space]
            jax.eval_shape(function, *kinds, *data_arrays(data))
            return function, data
        except INEXPRESSIBLE:
            continue
    return None
