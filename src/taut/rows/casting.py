"""From the type rows are stored in to the one a model computes with."""

import numpy as np

from taut.errors import RowsError


def cast(name: str, array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Cast a block of an array; floats may lose digits, integers and booleans lose nothing.

    Parameters
    ----------
    name
        Of the array.
    array
        The block, which is given back itself if it has the type.
    dtype
        Wanted.

    Raises
    ------
    RowsError
        A value does not exist in that type.

    Examples
    --------
    >>> import numpy as np
    >>> from taut.rows.casting import cast
    >>> cast("y", np.array([3.0, 4.0]), np.dtype("int32"))
    array([3, 4], dtype=int32)
    """
    if array.dtype == dtype:
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        result = array.astype(dtype)
    if not np.can_cast(array.dtype, dtype):
        wrong = _overflowed(array, result) if dtype.kind == "f" else result != array
        if wrong.any():
            raise RowsError(
                f"Array {name!r} holds {array[wrong][0]}, which can not be cast from "
                f"{array.dtype} to {dtype}, the type the model wants. Store other values, or "
                "declare the data in the model with another type."
            )
    return result


def _overflowed(array: np.ndarray, result: np.ndarray) -> np.ndarray:
    infinite = np.isinf(result)
    return infinite & ~np.isinf(array) if infinite.any() else infinite
