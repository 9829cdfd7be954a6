"""`pymc.Minibatch` in a model: the rows it draws become inputs, as many as there are."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytensor.tensor as pt
from pymc.data import MinibatchOp
from pymc.distributions.shape_utils import change_dist_size
from pymc.logprob.basic import transformed_conditional_logp
from pytensor.graph.basic import Apply
from pytensor.graph.traversal import ancestors
from pytensor.tensor.type_other import NoneTypeT

from taut.frontend.pymc.loosen import replace_loosely


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


def log_factors(model: Any) -> tuple[list[Any], dict[Any, Any]]:
    """Give the log densities of free and observed variables and potentials, not yet summed.

    PyMC builds the number of rows of a batch into the variable that is observed by it. Here it is
    a variable of its own; these are returned too, each with the generator of its minibatch.
    """
    rvs, values, lengths = [*model.free_RVs, *model.observed_RVs], model.rvs_to_values, {}
    if not find_minibatches(values[rv] for rv in model.observed_RVs):
        return model.logp(vars=[*rvs, *model.potentials], sum=False), lengths
    resized = [_resized(rv, values[rv], lengths) for rv in rvs]
    factors = transformed_conditional_logp(
        resized,
        rvs_to_values={new: values[old] for new, old in zip(resized, rvs, strict=True)},
        rvs_to_transforms={
            new: model.rvs_to_transforms[old] for new, old in zip(resized, rvs, strict=True)
        },
    )
    return [*factors, *model.replace_rvs_by_values(model.potentials)], lengths


def _resized(rv: Any, value: Any, lengths: dict[Any, Any]) -> Any:
    """Give a variable that is observed by a minibatch a length that is not built in."""
    if not (minibatches := find_minibatches([value])):
        return rv
    length = pt.lscalar("rows")
    new = _with_length(rv, value, length)
    if new is not rv:
        lengths[length] = minibatches[0].inputs[-1]
    return new


def _with_length(rv: Any, value: Any, length: Any) -> Any:
    node = rv.owner
    # The wrapper of `total_size`, by its name: PyMC keeps the class among what taut replaces.
    if type(node.op).__name__ == "MinibatchRandomVariable":
        inner, *total_size = node.inputs
        total_size = [None if isinstance(n.type, NoneTypeT) else n for n in total_size]
        return node.op(_with_length(inner, value, length), *total_size)
    rows_and_more = rv.type.ndim - node.op.ndim_supp
    if not rows_and_more:
        return rv
    rest = [value.shape[axis] for axis in range(1, rows_and_more)]
    return change_dist_size(rv, (length, *rest))


def _input_like(variable: Any) -> Any:
    kind = variable.type
    return kind.clone(shape=(None, *kind.shape[1:]))(name=variable.name)
