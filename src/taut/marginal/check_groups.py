"""Whether a model says the same of any groups, looked at by numbers."""

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from taut.errors import ModelError
from taut.marginal.group_terms import WholeTerms
from taut.marginal.grouped_model import GroupedModel
from taut.marginal.plate_field import PlateField
from taut.rows import GroupBatch
from taut.target import Target

# How far terms may be apart, by their size, and how far from the start they are looked at.
_CLOSE, _APART = 1e-8, 0.3


def own_batch(model: GroupedModel, groups: int | None = None) -> GroupBatch:
    """Return the rows that a model has itself, of its first groups, as one batch.

    Parameters
    ----------
    model
        The model.
    groups
        How many; `None` for all.
    """
    groups = model.levels if groups is None else groups
    index = np.asarray(model.factors.own[model.index])
    kept = np.flatnonzero(index < groups)
    columns = model.factors.columns
    arrays = {
        name: np.asarray(own)[kept].astype(column.dtype)
        for column, own in zip(columns, model.factors.own, strict=True)
        for name in (column.names or ("",))
    }
    numbers = index[kept].astype(np.int32)
    return GroupBatch(arrays, numbers, np.ones(len(kept)), np.ones(groups, bool), np.arange(groups))


def check_alike(model: GroupedModel, target: Target, random: np.random.Generator) -> None:
    """Check that groups differ by their rows alone.

    Parameters
    ----------
    model
        The model, with its own number of groups.
    target
        Keeps the programs.
    random
        Draws a point.

    Raises
    ------
    ModelError
        Rows have other densities in other groups, whose latents are the same.
    """
    factors, batch = model.factors, own_batch(model)
    outer, places = model.places(model.levels)
    z = np.empty(model.space(model.levels).dim)
    z[outer] = _APART * random.normal(size=len(outer))
    z[places] = model.start + _APART * random.normal(size=model.each)
    whole, moved = WholeTerms(factors.function, factors.space), (batch.index + 1) % model.levels
    rows = [np.asarray(one) for one in factors.own]
    others = [*rows]
    others[model.index] = moved.astype(rows[model.index].dtype)
    found, shifted = (
        target.programs(_terms, whole, z.astype(model.dtype), factors.data, tuple(each))
        for each in (rows, others)
    )
    for i, axis in model.of_groups:
        _check_same(factors.names[i], found[i], np.roll(found[i], 1, axis))
    for one, other in zip(found[factors.apart :], shifted[factors.apart :], strict=True):
        _check_same("the likelihood of the rows", one, other)


def is_of_any_groups(
    loose: GroupedModel, fixed: GroupedModel, target: Target, random: np.random.Generator
) -> bool:
    """Whether the density of some groups is that which a model of more has for them.

    Parameters
    ----------
    loose, fixed
        The model on any number of groups, and on its own.
    target
        Keeps the programs.
    random
        Draws a point.
    """
    few = max(1, fixed.levels // 2)
    outer, _ = fixed.places(fixed.levels)
    theta = _APART * random.normal(size=len(outer))
    u = (fixed.start + _APART * random.normal(size=(fixed.levels, fixed.each))).ravel()
    whole = _by_group(fixed, own_batch(fixed), target, theta, u)
    try:
        part = _by_group(loose, own_batch(loose, few), target, theta, u[: few * fixed.each])
    # Whatever a graph raises in which a length is built in.
    except (TypeError, ValueError, IndexError, NotImplementedError):
        return False
    return bool((np.abs(part - whole[:few]) <= _CLOSE * (1.0 + np.abs(whole[:few]))).all())


def _by_group(
    model: GroupedModel, batch: GroupBatch, target: Target, theta: np.ndarray, u: np.ndarray
) -> np.ndarray:
    with target.precision():
        field = model.field(batch)
    points = theta.astype(model.dtype), u.astype(model.dtype)
    return np.asarray(target.programs(_joint, field, *points), float)


def _joint(field: PlateField, theta: Array, u: Array) -> Float[Array, " groups"]:
    return field.joint(theta, u)[0]


def _terms(whole: WholeTerms, z: Array, data: Any, rows: Any) -> tuple[Array, ...]:
    return whole(z, data, rows)


def _check_same(name: str, one: Array, other: Any) -> None:
    first, second = np.asarray(one, float), np.asarray(other, float)
    if (np.abs(first - second) <= _CLOSE * (1.0 + np.abs(first))).all():
        return
    raise ModelError(
        f"In {name!r} groups differ by more than their rows: with the same latents they have "
        "other densities, as by data with an element for each group, which is not known of other "
        "groups. Give each row the value of its group instead: x = pm.Data('x', values_by_row), "
        "and put it where the rows are, such as a[g] + b * x."
    )


def of_any_or_fixed(
    fixed: GroupedModel, loose: GroupedModel | None, target: Target, random: np.random.Generator
) -> GroupedModel:
    """Return the model on any number of groups, or else on its own number, checked.

    Raises
    ------
    ModelError
        Groups differ by more than their rows.
    """
    check_alike(fixed, target, random)
    if loose is not None and is_of_any_groups(loose, fixed, target, random):
        return loose
    return replace(fixed, is_fixed=True)
