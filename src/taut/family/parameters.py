"""Members of a family by their parameters, in the form in which a user reads them."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import Any

import numpy as np

from taut.errors import ArgumentError
from taut.family.base import AbstractFamily

Parameters = Mapping[str, np.ndarray]


def with_parameter(family: AbstractFamily, name: str, value: Any) -> AbstractFamily:
    """Return the member of a family in which one parameter is another.

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
    """Return the member of a family whose `parameters` are these.

    This version is for families whose parameters are fields of theirs; others register their own
    in their file.

    Raises
    ------
    ArgumentError
        There is no such member, or the parameters have other names than the fields.
    """
    fields = {field.name for field in dataclasses.fields(family)}
    if not fields >= given.keys():
        raise ArgumentError(
            f"The parameters of {type(family).__name__} can not be written by name: its fields "
            "have other names. Call approx.show(family) with another member."
        )
    return dataclasses.replace(family, **given)


def of_part(part: AbstractFamily, given: Parameters, ending: str = "") -> Any:
    """Return a part of a family with its parameters, whose names have an ending."""
    own = {name: given[f"{name}{ending}"] for name in part.parameters()}
    return with_parameters(part, own)


def of_parts(parts: Sequence[AbstractFamily], given: Parameters) -> tuple[AbstractFamily, ...]:
    """Return each of several families with the parameters that end in its number."""
    return tuple(of_part(part, given, f"_{i}") for i, part in enumerate(parts))
