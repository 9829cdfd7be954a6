"""Values of a data set, as the arrays that a model reads."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from taut.errors import DataSetError
from taut.frontend.pymc.rows.find import data_of
from taut.frontend.pymc.rows.row_graph import RowGroup

# Rows that a message names.
_NAMED = 5


def rows_of(
    group: RowGroup, found: Mapping[Any, tuple[str, Any]], reason: str | None
) -> tuple[np.ndarray, ...]:
    """Return the arrays of a group of rows, of one length."""
    rows: dict[str, np.ndarray] = {}
    for array in group.arrays:
        if array.variable in found:
            name, value = found[array.variable]
            made = cast(name, value, np.dtype(array.kind.dtype))
            own = array.values()
            if made.ndim != own.ndim:
                raise DataSetError(other_shape(name, made, data_of(array.variable), reason))
            made = np.moveaxis(made, array.axis, 0)
            if made.shape[1:] != own.shape[1:]:
                raise DataSetError(other_shape(name, made, own, reason))
            rows[name] = made
    lengths = {name: len(made) for name, made in rows.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name!r} has {n}" for name, n in lengths.items())
        raise DataSetError(f"Data of one length are wanted, and {listed} rows.")
    count = next(iter(lengths.values()), group.rows.count)
    if not count:
        raise DataSetError(f"The data set has no rows of {', '.join(map(repr, rows))}.")
    return tuple(
        rows[found[array.variable][0]] if array.variable in found else _own(array, count, lengths)
        for array in group.arrays
    )


def _own(array: Any, count: int, lengths: Mapping[str, int]) -> np.ndarray:
    """Return what the model has of data that are not given."""
    own = array.values()
    if len(own) != count:
        missing = f"{array.name!r} is" if array.name else "data without a name are"
        raise DataSetError(
            f"{missing} not given, and the model has {len(own)} rows of it, where "
            f"{', '.join(map(repr, lengths))} has {count}. Give all that has these rows; what has "
            'no name is declared by pm.Data("name", array).'
        )
    return own


def cast(name: str, value: Any, dtype: np.dtype[Any]) -> np.ndarray:
    """Turn what a user gives into an array of a type, and refuse what is missing.

    Raises
    ------
    DataSetError
        It has other values than the type holds, or some that are not a number.
    """
    if np.ma.is_masked(value):
        raise DataSetError(f"{name!r} has masked values: leave these rows out.")
    array = np.asarray(value)
    if array.dtype.kind == "f" and np.isnan(array).any():
        bad = np.flatnonzero(np.isnan(array).reshape(len(array), -1).any(axis=1))
        more = ", …" if len(bad) > _NAMED else ""
        raise DataSetError(
            f"{name!r} is nan in {len(bad)} of {len(array)} rows "
            f"({', '.join(map(str, bad[:_NAMED]))}{more}): leave these rows out."
        )
    whole = dtype.kind in "iu" and array.dtype.kind == "f" and (array == np.round(array)).all()
    if not (whole or np.can_cast(array.dtype, dtype, "same_kind")):
        raise DataSetError(
            f"{name!r} has values of type {array.dtype}, which can not be cast to the model's "
            f"{dtype}."
        )
    return array.astype(dtype)


def check_built_in(name: str, array: np.ndarray, own: np.ndarray) -> None:
    """Refuse other values of what is built into the compiled model.

    Raises
    ------
    DataSetError
        They are others.
    """
    if not np.array_equal(array, own):
        raise DataSetError(
            f"{name!r} is built into the compiled model: it decides shapes there, or is a small "
            "constant. Write it as pm.Data of floats, and where it says how many there are of "
            "something, build the model with the most of them."
        )


def other_shape(name: str, array: np.ndarray, own: Any, reason: str | None) -> str:
    """Say that only the number of rows may differ, and why not even that, if so."""
    because = f" Rows of another number can not be filled up here: {reason}" if reason else ""
    return (
        f"{name!r} has shape {array.shape} in the data set, and {np.shape(own)} in the model; only "
        f"the number of rows may differ.{because}"
    )
