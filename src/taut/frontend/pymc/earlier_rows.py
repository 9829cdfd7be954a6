"""Earlier rows in a PyMC model, as a potential."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from taut.errors import ArgumentError
from taut.frontend.after_earlier import Earlier
from taut.frontend.matching import nearest
from taut.frontend.pymc.describe import describe
from taut.frontend.pymc.graph import EARLIER_ROWS, stands_for_rows
from taut.target import Quadratic, Space, Variable

# Of each variable, the labels of its elements along each of its dims; empty where there are none.
ElementLabels = Mapping[str, tuple[tuple[str, ...], ...]]


def add_earlier_rows(
    model: Any,
    variables: Sequence[Variable],
    labels: ElementLabels,
    earlier: Earlier,
    name: str,
) -> None:
    """Add a quadratic in the unconstrained variables to a model's log density.

    Parameters
    ----------
    model
        The model.
    variables
        Of the quadratic, in its order.
    labels
        Of their elements.
    earlier
        Has the quadratic.
    name
        Of the potential.

    Raises
    ------
    ArgumentError
        A variable is not in the model, or is another one there.
    """
    space = _space(model)
    places = list(_places(model, space, variables, labels))
    rvs = {rv.name: rv for rv in model.free_RVs}
    parts = [
        _unconstrained(model, rvs[one.name]).ravel()[place - space[one.unconstrained].start]
        for one, place in zip(variables, places, strict=True)
    ]
    quadratic = earlier.quadratic
    away: Any = pt.concatenate(parts) - quadratic.centre
    bent: Any = pt.dot(quadratic.precision, away)
    value: Any = pt.sum(away * (quadratic.slope - 0.5 * bent))
    with model:
        potential: Any = pm.Potential(name, value)
    setattr(potential.tag, EARLIER_ROWS, (tuple(variables), dict(labels), earlier))


def earlier_rows_in(model: Any, space: Space) -> Earlier | None:
    """Return what potentials of a model know of earlier rows, in its space; `None` without any.

    Parameters
    ----------
    model
        The model; `None` where there is none.
    space
        Its unconstrained space.
    """
    found = [
        getattr(one.tag, EARLIER_ROWS)
        for one in getattr(model, "potentials", ())
        if stands_for_rows(one)
    ]
    known: Earlier | None = None
    for variables, labels, earlier in found:
        index = np.concatenate(list(_places(model, space, variables, labels)))
        placed = _placed(earlier, index, space.dim)
        known = placed if known is None else known + placed
    return known


def element_labels(model: Any, variables: Sequence[Variable]) -> ElementLabels:
    """Return the labels of the elements of variables along their dims, as text."""
    coords = {} if model is None else model.coords

    def of_dim(dim: str | None) -> tuple[str, ...]:
        values = coords.get(dim)
        return () if values is None else tuple(map(str, values))

    return {one.name: tuple(map(of_dim, one.dims)) for one in variables}


def _placed(earlier: Earlier, index: np.ndarray, dim: int) -> Earlier:
    """Lay out in a space of more elements, or of others in between."""
    square = np.ix_(index, index)
    precision, drift = np.zeros((dim, dim)), np.zeros((dim, dim))
    precision[square], drift[square] = earlier.quadratic.precision, earlier.drift
    centre, slope = np.zeros(dim), np.zeros(dim)
    centre[index], slope[index] = earlier.quadratic.centre, earlier.quadratic.slope
    variance = np.full(dim, np.inf)
    variance[index] = earlier.variance
    quadratic = Quadratic(centre, slope, precision)
    return replace(earlier, quadratic=quadratic, drift=drift, variance=variance)


def _space(model: Any) -> Space:
    point, values = model.initial_point(), [model.rvs_to_values[rv].name for rv in model.free_RVs]
    return Space.of({name: np.shape(point[name]) for name in values})


def _places(
    model: Any, space: Space, variables: Sequence[Variable], labels: ElementLabels
) -> Iterator[np.ndarray]:
    """Find the elements of each variable in the flat vector of a model."""
    described = describe(model, space).variables
    there = {one.name: one for one in described}
    now = element_labels(model, described)
    for one in variables:
        if one.name not in there:
            raise ArgumentError(
                f"The model has no {one.name!r}, which earlier rows tell of"
                f"{nearest(one.name, there)}. It has {', '.join(there)}: keep the variables of the "
                "fit, and add others if you like."
            )
        other = there[one.name]
        different = [said for said in one.differs_from(other) if " has shape " not in f" {said} "]
        if different:
            raise ArgumentError(
                f"{'; '.join(different)}. Write the variable as it was when it was fitted."
            )
        yield space[other.unconstrained].start + _elements(one, other, labels, now)


def _elements(
    one: Variable, other: Variable, labels: ElementLabels, now: ElementLabels
) -> np.ndarray:
    """Number the elements of a variable in what it is by now, by their labels."""
    of_then, of_now = labels[one.name], now[one.name]
    numbers = np.arange(int(np.prod(other.shape, dtype=int))).reshape(other.shape)
    known = len(of_then) == len(one.shape) and all(of_then) and all(of_now)
    fits = known and tuple(map(len, of_now)) == other.shape
    if not fits or tuple(map(len, of_then)) != one.shape:
        if one.shape != other.shape:
            raise ArgumentError(
                f"{one.name!r} has shape {one.shape} in the fit, and {other.shape} here, and no "
                "labels by which its elements could be told. Give it dims with coordinates, in "
                "both models."
            )
        return numbers.ravel()
    index = []
    for axis, (then, by_now) in enumerate(zip(of_then, of_now, strict=True)):
        missing = [label for label in then if label not in by_now]
        if missing:
            raise ArgumentError(
                f"{one.name!r} has no {', '.join(map(repr, missing[:5]))} along its dim "
                f"{one.dims[axis]!r} any more, of which earlier rows tell. Keep its labels, and "
                "add others."
            )
        index.append([by_now.index(label) for label in then])
    return numbers[np.ix_(*index)].ravel()


def _unconstrained(model: Any, rv: Any) -> Any:
    transform = model.rvs_to_transforms[rv]
    return rv if transform is None else transform.forward(rv, *rv.owner.inputs)
