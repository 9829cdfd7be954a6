"""`pymc.Minibatch` in a model: the rows it draws become inputs, as many as there are."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytensor
import pytensor.tensor as pt
from pymc.data import MinibatchOp
from pymc.distributions.shape_utils import change_dist_size
from pymc.logprob.basic import transformed_conditional_logp
from pytensor.graph.basic import Apply
from pytensor.graph.replace import graph_replace
from pytensor.graph.traversal import ancestors
from pytensor.tensor.type_other import NoneTypeT

from taut.frontend.pymc.graph.circular import transforms_of, whole_circles
from taut.frontend.pymc.graph.resize import replace_loosely


def find_minibatches(outputs: Iterable[Any]) -> list[Apply]:
    """List the minibatches in a graph."""
    owners = (v.owner for v in ancestors(outputs) if v.owner is not None)
    return list(dict.fromkeys(node for node in owners if isinstance(node.op, MinibatchOp)))


def rows_as_inputs(
    outputs: list[Any], lengths: Mapping[Any, Any]
) -> tuple[list[Any], list[Apply], list[list[Any]]]:
    """Replace the rows that minibatches draw by inputs of any length.

    A minibatch is known by its random generator: PyMC copies the node wherever it copies a graph.

    Parameters
    ----------
    outputs
        The graph.
    lengths
        Variables that stand for the length of a minibatch, each with the generator of that one.

    Returns
    -------
    tuple
        The graph, one node for each minibatch, and for each of these the inputs.
    """
    nodes: dict[Any, Apply] = {}
    inputs: dict[Any, list[Any]] = {}
    replace: dict[Any, Any] = {}
    for node in find_minibatches(outputs):
        generator, rows = node.inputs[-1], node.outputs[:-1]
        if generator not in nodes:
            nodes[generator], inputs[generator] = node, [_input_like(out) for out in rows]
        replace |= zip(rows, inputs[generator], strict=True)
    replace |= {length: inputs[of][0].shape[0] for length, of in lengths.items()}
    replaced = replace_loosely(outputs, replace)
    return replaced, list(nodes.values()), list(inputs.values())


def with_all_rows(outputs: list[Any], lengths: Mapping[Any, Any]) -> list[Any]:
    """Replace the rows that minibatches draw by all rows; `lengths` as in `rows_as_inputs`."""
    replace: dict[Any, Any] = {}
    for node in find_minibatches(outputs):
        arrays: list[Any] = node.inputs[:-1]
        generator = node.inputs[-1]
        replace |= zip(node.outputs[:-1], arrays, strict=True)
        replace |= {length: arrays[0].shape[0] for length, of in lengths.items() if of == generator}
    return replace_loosely(outputs, replace)


def log_factors(
    model: Any, more_replacements: Mapping[Any, Any] | None = None
) -> tuple[list[Any], dict[Any, Any]]:
    """Build the log densities of free and observed variables and potentials, not yet summed.

    PyMC builds the number of rows of a batch into the variable that is observed by it. Here it is
    a variable of its own; these are returned too, each with the generator of its minibatch.
    """
    lengths: dict[Any, Any] = {}
    values = replace_loosely(
        [model.rvs_to_values[rv] for rv in model.observed_RVs], more_replacements or {}
    )
    if not find_minibatches(values):
        variables = [*model.free_RVs, *model.observed_RVs, *model.potentials]
        with whole_circles(model):
            return model.logp(vars=variables, sum=False), lengths
    pairs = zip(model.observed_RVs, values, strict=True)
    resized = {rv: _resized(rv, value, lengths) for rv, value in pairs}
    return factors_with(model, resized), lengths


def factors_with(model: Any, resized: Mapping[Any, Any]) -> list[Any]:
    """Build the log densities of a model in which some variables have another size.

    Parameters
    ----------
    model
        The model.
    resized
        What takes the place of variables.
    """
    old = [*model.free_RVs, *model.observed_RVs]
    new = [resized.get(rv, rv) for rv in old]
    transforms = transforms_of(model)
    factors = transformed_conditional_logp(
        new,
        rvs_to_values={n: model.rvs_to_values[o] for n, o in zip(new, old, strict=True)},
        rvs_to_transforms={n: transforms[o] for n, o in zip(new, old, strict=True)},
    )
    with whole_circles(model):
        return [*factors, *model.replace_rvs_by_values(model.potentials)]


def given_the_observed(model: Any) -> dict[Any, Any]:
    """Rewrite observed variables that depend on others, to depend on what these observe."""
    found = {}
    for rv in model.observed_RVs:
        above = set(ancestors([rv])) - {rv}
        others = {o: model.rvs_to_values[o] for o in model.observed_RVs if o in above}
        if others:
            [found[rv]] = graph_replace([rv], others, strict=False)
    return found


def with_length(rv: Any, value: Any, length: Any, axis: int = 0) -> Any:
    """Resize a variable along one axis, if it has independent elements along it."""
    node = rv.owner
    if is_scaled(rv):
        inner, *total_size = node.inputs
        total_size = [None if isinstance(n.type, NoneTypeT) else n for n in total_size]
        return node.op(with_length(inner, value, length, axis), *total_size)
    independent = rv.type.ndim - node.op.ndim_supp
    if axis >= independent:
        return rv
    size = [length if i == axis else value.shape[i] for i in range(independent)]
    return change_dist_size(rv, tuple(size))


def length_of(variable: Any, axis: int = 0) -> int:
    """Return the length of data along an axis."""
    known = variable.type.shape[axis]
    if known is not None:
        return int(known)
    length: Any = pytensor.function([], variable.shape[axis], mode="FAST_COMPILE")
    return int(length())


def is_scaled(rv: Any) -> bool:
    """Return whether a variable has a ``total_size``."""
    # The wrapper by its name: PyMC keeps the class among what taut replaces.
    return type(rv.owner.op).__name__ == "MinibatchRandomVariable"


def _resized(rv: Any, value: Any, lengths: dict[Any, Any]) -> Any:
    """Resize a variable that is observed by a minibatch to a length that is not built in."""
    if not (minibatches := find_minibatches([value])):
        return rv
    length = pt.lscalar("rows")
    new = with_length(rv, value, length)
    if new is not rv:
        lengths[length] = minibatches[0].inputs[-1]
    return new


def _input_like(variable: Any) -> Any:
    kind = variable.type
    return kind.clone(shape=(None, *kind.shape[1:]))(name=variable.name)
