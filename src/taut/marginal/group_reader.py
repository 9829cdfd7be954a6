"""Which latents a model has for each group, and which data tell the group of a row."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from taut.errors import ArgumentError, ModelError
from taut.frontend import AbstractSource, nearest
from taut.marginal.check_groups import of_any_or_fixed
from taut.marginal.group_terms import WholeTerms
from taut.marginal.grouped_model import GroupedModel, places_of
from taut.structure import Plate, Plates, Structure, read_structure
from taut.target import Factors, RowFactors, Target

Shapes = Sequence[tuple[int, ...]]

_NEEDED = (
    "Batches of groups are for latents with an element for each group that touch no other group's "
    "(at least ten groups in the model), such as a = pm.Normal('a', mu, s, dims='group') in a[g]"
)


def read_groups(
    source: AbstractSource,
    rows: Mapping[str, int] | None,
    index: str | None,
    start: np.ndarray,
    random: np.random.Generator,
    timing: Any = None,
) -> GroupedModel:
    """Read the latents of groups off a model with some groups.

    Parameters
    ----------
    source
        The model.
    rows
        Which data have rows; `None` for those that are found.
    index
        The data that tell the group of each row; `None` to find them.
    start
        A point where the density is finite.
    random
        Draws points at which the density is looked at.
    timing
        Is charged with the seconds.

    Raises
    ------
    ModelError
        The model has no such latents, or more that tells groups apart than their rows.
    ArgumentError
        No data, or several, tell the group of a row.
    """
    target, factors = source.target(), source.row_factors(rows, {})
    whole = WholeTerms(factors.function, factors.space)
    structure = read_structure(
        target, Factors(whole, (factors.data, factors.own)), start, random, timing
    )
    plate = _plate(structure)
    shapes = _shapes(target, whole, factors)
    parts = _parts(plate.of_factor, shapes)
    of_groups = tuple(_of_groups(factors, parts, plate.levels))
    number = _index(factors, parts, index)
    latents = {name: _axis(target, plate, name) for name in plate.names}
    values = start[plate.places].mean(axis=0)
    fixed = GroupedModel(
        factors, latents, of_groups, number, plate.levels, True, values, target.dtype
    )
    return of_any_or_fixed(fixed, _loose(source, rows, fixed), target, random)


def _loose(
    source: AbstractSource, rows: Mapping[str, int] | None, fixed: GroupedModel
) -> GroupedModel | None:
    """Let the model have any number of groups, where it can be written so."""
    try:
        factors = source.row_factors(rows, fixed.latents)
    except ModelError:
        # Lengths are built into it.
        return None
    return replace(fixed, factors=factors, is_fixed=False)


def _plate(structure: Structure) -> Plate:
    latents = structure.latents
    if latents is None:
        raise ModelError(f"{_NEEDED}. Here: {structure.words}.")
    if not isinstance(latents, Plates):
        raise ModelError(f"{_NEEDED}. Here: {latents}.")
    if latents.crossing:
        names = ", ".join(repr(name) for plate in latents.crossing for name in plate.names)
        raise ModelError(
            f"{_NEEDED}. Here {names} has elements that touch the rows of several groups, and more "
            "of them than can be global."
        )
    return latents.main


def _shapes(target: Target, whole: WholeTerms, factors: RowFactors) -> Shapes:
    z = jax.ShapeDtypeStruct((target.dim,), target.dtype)
    with target.precision():
        return [one.shape for one in jax.eval_shape(whole, z, factors.data, factors.own)]


def _parts(of_factor: Int[np.ndarray, " factors"], shapes: Shapes) -> list[Int[np.ndarray, "..."]]:
    """Cut what each element depends on into the terms that they are of."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    pieces = np.split(of_factor, ends)
    return [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)]


def _of_groups(factors: RowFactors, parts: Sequence[np.ndarray], levels: int) -> Any:
    """Find the terms without rows that have an element for each group."""
    for i, name in enumerate(factors.names):
        if (parts[i] < 0).all():
            continue
        axis = _axis_of(parts[i], levels)
        if axis is None:
            raise ModelError(
                f"{name!r} depends on some of the groups, and not on each in the same way, so that "
                f"what it is for other groups is not known. {_NEEDED}."
            )
        yield i, axis


def _axis_of(part: np.ndarray, levels: int) -> int | None:
    """Find the axis along which the elements of a term are those of one group after another."""
    for axis, length in enumerate(part.shape):
        along = np.arange(levels).reshape([-1 if i == axis else 1 for i in range(part.ndim)])
        if length == levels and (part == along).all():
            return axis
    return None


def _index(factors: RowFactors, parts: Sequence[np.ndarray], name: str | None) -> int:
    """Find the column that is the number of the group of each row."""
    seen = [
        np.moveaxis(part, axis, 0).reshape(part.shape[axis], -1)
        for part, axis in zip(parts[factors.apart :], factors.axes, strict=True)
    ]

    def tells(own: np.ndarray) -> bool:
        is_index = own.ndim == 1 and own.dtype.kind in "iu"
        return is_index and all(((own[:, None] == one) | (one < 0)).all() for one in seen)

    found = [i for i, own in enumerate(factors.own) if tells(own)]
    if name is None:
        if len(found) == 1:
            return found[0]
        names = ", ".join(repr(factors.columns[i].name) for i in found)
        raise ArgumentError(
            f"{'Several data tell' if found else 'No data of the model tell'} the group of each row"
            f"{': ' + names if names else ''}. Say which do: groups='g', with g = pm.Data('g', "
            "numbers of groups) in the model."
        )
    known = {alias: i for i, column in enumerate(factors.columns) for alias in column.names}
    if name not in known:
        raise ArgumentError(
            f"groups names {name!r}, which is no data with rows of the model"
            f"{nearest(name, known)}. There are: {', '.join(known)}."
        )
    if known[name] not in found:
        others = ", ".join(repr(factors.columns[i].name) for i in found)
        raise ArgumentError(
            f"groups names {name!r}, and the rows' latents are not those of the groups that it "
            f"numbers{f'; those of {others} are' if others else ''}. It has to be the index of the "
            "latents, as in a[g]."
        )
    return known[name]


def _axis(target: Target, plate: Plate, name: str) -> int:
    """Return the axis of a variable along which its groups are."""
    slot = target.space[name]
    for axis, length in enumerate(slot.shape):
        if length == plate.levels and np.isin(places_of(slot, axis), plate.places).all():
            own = places_of(slot, axis)
            pairs = zip(own, plate.places, strict=True)
            if all(np.isin(row, of_group).all() for row, of_group in pairs):
                return axis
    raise AssertionError(f"{name} has no axis of groups")
