"""Whether the batches of an epoch add up to all rows, told by numbers before a fit."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytensor
from pymc.pytensorf import compile as compile_function
from pytensor.graph.traversal import ancestors

from taut.errors import ModelError
from taut.frontend.pymc import Blame
from taut.frontend.pymc.graph import total
from taut.frontend.pymc.rows.row_graph import RowGraph, RowGroup
from taut.rows import Partition
from taut.target import Space

_POINTS, _TOLERANCE = 2, 1e-6
# Batches the check cuts the rows into, however many an epoch of the fit has: a density that does
# not factor shows it in a few as well.
_BATCHES = 5
# Distance of the points from the start, in the unconstrained space; shorter where the density is
# not finite there.
_REACH, _TRIES = 0.3, 8


def check_epoch(
    model: Any, graph: RowGraph, blame: Blame, space: Space, start: np.ndarray, seed: int
) -> None:
    r"""Compare, at two random points, the sum over batches with all rows.

    .. math:: \Bigl| \sum_b \log p(y_b \mid z) - \log p(y \mid z) \Bigr|
              \le 10^{-6} \, (1 + |\log p(y \mid z)|)

    PyTensor evaluates both, the right side from the model as it is written.

    Raises
    ------
    ModelError
        A density does not factor over its rows, or an array was taken for rows that is none.
    """
    points = list(_finite_points(model, graph, blame, space, start, seed))
    if not points:
        raise ModelError(
            "Whether the batches add up to all rows can not be told: near the start the log "
            "likelihood is not finite. Start elsewhere: start={'name': value}."
        )
    for group in graph.groups:
        sums = [total(factor) for factor in group.factors]
        function = _compile(model, [*graph.values, *group.inputs], sums)
        reason = _reason(model, graph, group, space)
        for values, whole in points:
            _compare(group, _of_batches(group, function, values, seed, reason), whole, reason)


def _finite_points(
    model: Any, graph: RowGraph, blame: Blame, space: Space, start: np.ndarray, seed: int
) -> Any:
    """Find points at which the density of all rows is finite, each with its factors by name."""
    rng = np.random.default_rng(seed)
    for _ in range(_POINTS):
        away = _REACH * rng.normal(size=len(start))
        for attempt in range(_TRIES):
            point = space.unravel((start + away / 4**attempt).astype(start.dtype))
            whole = _whole(model, graph, blame, point)
            if all(map(np.isfinite, whole.values())):
                yield list(point.values()), whole
                break


def _whole(model: Any, graph: RowGraph, blame: Blame, point: Mapping[str, Any]) -> Any:
    variables = [*model.free_RVs, *model.observed_RVs, *model.potentials]
    with np.errstate(all="ignore"):
        factors = dict(zip(variables, blame.factors(model, point), strict=True))
    terms = [term for group in graph.groups for term in group.terms]
    return {term: float(np.sum(factors[term])) for term in terms}


def _of_batches(
    group: RowGroup, function: Callable[..., Any], values: Sequence[Any], seed: int, reason: str
) -> dict[Any, float]:
    """Add up the log densities of the batches of an epoch in a random order."""
    # Rows in their own order would hide what makes pairs of neighbours.
    order = np.random.default_rng(seed).permutation(group.rows.count)
    arrays = [array.values() for array in group.arrays]
    partition = Partition(group.rows.count, min(_BATCHES, group.rows.count))
    sums = np.zeros(len(group.terms))
    for index in range(partition.batches):
        first, size = partition.start(index), partition.size(index)
        rows = [array[order[first : first + size]] for array in arrays]
        try:
            with np.errstate(all="ignore"):
                sums += np.array([float(out) for out in function(*values, *rows)])
        except (IndexError, TypeError, ValueError) as error:
            raise ModelError(
                f"{reason}{group.names} can not be evaluated on a part of the "
                f"{group.rows.count} rows: "
                f"{str(error).splitlines()[0]}\n{_advice(group)}"
            ) from error
    return dict(zip(group.terms, sums, strict=True))


def _compare(
    group: RowGroup, batches: Mapping[Any, float], whole: Mapping[Any, float], reason: str
) -> None:
    # Sums of 32 bits agree to fewer digits.
    tolerance = max(_TOLERANCE, 1e3 * np.finfo(pytensor.config.floatX).eps)
    for term, value in batches.items():
        expected = whole[term]
        if not abs(value - expected) <= tolerance * (1.0 + abs(expected)):
            raise ModelError(
                f"{reason}{term.name!r} can not be batched: the log densities of the batches of an "
                f"epoch add up to {value:.8g}, that of all {group.rows.count} rows is "
                f"{expected:.8g}. The density does not factor over the rows, or what it reads of a "
                "row depends on others (a mean over the rows, say: compute it before the model).\n"
                f"{_advice(group)}"
            )


def _reason(model: Any, graph: RowGraph, group: RowGroup, space: Space) -> str:
    """Name the likeliest reason: a free variable that has as many elements as there are rows."""
    read = set(ancestors(group.factors))
    latent = [
        repr(model.values_to_rvs[value].name)
        for value in graph.values
        if value in read and space[value.name].shape[:1] == (group.rows.count,)
    ]
    if not latent:
        return ""
    several, each = ("s", "have") if len(latent) > 1 else ("", "has")
    return (
        f"Free variable{several} {', '.join(latent)} {each} {group.rows.count} elements, as "
        f"{group.names} has rows: one for each, it seems. A batch reads a part of the rows, and "
        "the elements of the others would drift to their prior. Such a model is fitted with all "
        "rows: leave batch_size out.\n"
    )


def _advice(group: RowGroup) -> str:
    """Say what was taken for rows, and what to do if that is wrong."""
    arrays = [f"{array.name or 'a constant without a name'} (axis {array.axis})"
              for array in group.arrays]  # fmt: skip
    named = ", ".join(f'"{array.name}": {array.axis}' for array in group.arrays if array.name)
    return (
        f"Taken for rows are: {', '.join(arrays)}. If that is wrong, name all data with rows: "
        f'rows={{{named}}}. Arrays without a name become data by pm.Data("name", array).'
    )


def _compile(model: Any, inputs: list[Any], outputs: list[Any]) -> Callable[..., Any]:
    # On the context, where PyMC looks for `check_bounds`.
    with model:
        return compile_function(inputs, outputs, mode="FAST_COMPILE", on_unused_input="ignore")
