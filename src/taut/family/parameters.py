"""Members of a family by their parameters, in the form in which a user reads them."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import Any

import numpy as np

from taut.errors import ArgumentError
from taut.family.base import AbstractFamily
from taut.family.flow import Flow
from taut.family.full_rank import FullRank
from taut.family.mixture import Mixture
from taut.family.product import Product
from taut.family.scaled_low_rank import Stretched
from taut.family.student import StudentT

Parameters = Mapping[str, np.ndarray]


def with_parameter(family: AbstractFamily, name: str, value: Any) -> AbstractFamily:
    """Give the member of a family in which one parameter is another.

    Raises
    ------
    ArgumentError
        It is no parameter, or the value has another shape, or is not finite.
    """
    present = {key: np.asarray(given) for key, given in family.parameters().items()}
    if name not in present:
        raise ArgumentError(
            f"{name} is computed from the parameters, and can not be written. Write to one of "
            f"them, such as approx.shared_params[{next(iter(present))!r}].set_value(...): "
            f"{', '.join(present)}."
        )
    array = _checked(name, value, present[name])
    return with_parameters(family, present | {name: array})


def _checked(name: str, value: Any, present: np.ndarray) -> np.ndarray:
    try:
        array = np.array(value, present.dtype)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{name} must be an array of numbers, got {value!r}.") from error
    if array.shape != present.shape:
        raise ArgumentError(
            f"{name} has shape {present.shape}, and what is written to it has {array.shape}. For "
            "another number of parameters or particles make another approximation."
        )
    if not np.isfinite(array).all():
        wrong = int(np.sum(~np.isfinite(array)))
        raise ArgumentError(f"{name} must be finite: {wrong} numbers are not.")
    return array


@singledispatch
def with_parameters(family: AbstractFamily, given: Parameters) -> AbstractFamily:
    """Give the member of a family whose `parameters` are these.

    This version is for families whose parameters are fields of theirs.

    Raises
    ------
    ArgumentError
        There is no such member, or the parameters have other names than the fields.
    """
    fields = {field.name for field in dataclasses.fields(family)}
    if not fields >= given.keys():
        raise ArgumentError(
            f"The parameters of {type(family).__name__} can not be written by name: its fields "
            "have other names. Call approx.update(family) with another member."
        )
    return dataclasses.replace(family, **given)


@with_parameters.register
def _(family: FullRank, given: Parameters) -> AbstractFamily:
    factor = np.zeros((family.dim, family.dim), given["L_tril"].dtype)
    factor[np.tril_indices(family.dim)] = given["L_tril"]
    return FullRank(given["mu"], factor)


@with_parameters.register
def _(family: Stretched, given: Parameters) -> AbstractFamily:
    if not np.all(given["stretch"] > -1.0):
        raise ArgumentError(
            f"stretch must be > -1, at which a direction has no width; got {given['stretch']}."
        )
    return Stretched(**given)


@with_parameters.register
def _(family: StudentT, given: Parameters) -> AbstractFamily:
    return StudentT(_base_of(family, given), given["rho_nu"], family.fixed)


@with_parameters.register
def _(family: Flow, given: Parameters) -> AbstractFamily:
    weights = tuple(given[f"weights_{i}"] for i in range(len(family.weights)))
    return Flow(_base_of(family, given), weights, given.get("rho_nu"), family.skeleton)


@with_parameters.register
def _(family: Product, given: Parameters) -> AbstractFamily:
    return Product(_each(family.parts, given), family.indices)


@with_parameters.register
def _(family: Mixture, given: Parameters) -> AbstractFamily:
    return Mixture(_each(family.parts, given), given["logits"])


def _base_of(family: StudentT | Flow, given: Parameters) -> Any:
    return with_parameters(family.base, {name: given[name] for name in family.base.parameters()})


def _each(parts: Sequence[AbstractFamily], given: Parameters) -> tuple[AbstractFamily, ...]:
    """Give each of several families the parameters with its number behind their names."""
    return tuple(
        with_parameters(part, {name: given[f"{name}_{i}"] for name in part.parameters()})
        for i, part in enumerate(parts)
    )
