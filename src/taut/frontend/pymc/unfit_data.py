"""Data of a model that are not finite where a density is not."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import graph_inputs

# Places a message names before it stops counting them out.
_NAMED = 5


def unfit_data(graph: Any, response: Any, factor: np.ndarray) -> str:
    """Describe the arrays in a log density that are not finite in its rows that are not.

    Arrays that are not a number there come before infinite ones, which may be bounds. One of other
    lengths is named where it is not a number.

    Parameters
    ----------
    graph
        The log density as an expression.
    response
        What is observed, which is not looked at; `None` for a potential.
    factor
        The value of the density, of one element for each row.
    """
    bad = ~np.isfinite(factor)
    own = set() if response is None else set(graph_inputs([response]))
    arrays = [(name, array) for variable, name, array in _arrays(graph) if variable not in own]
    for is_unfit in (np.isnan, np.isinf):
        found = [
            f"{name} {'is' if len(places) == 1 else 'are'} {_values(array, places)} {_at(places)}"
            for name, array in arrays
            if len(places := np.argwhere(_within(is_unfit(array), bad, is_unfit is np.isnan)))
        ]
        if found:
            return ", ".join(found)
    return ""


def _within(unfit: np.ndarray, bad: np.ndarray, elsewhere: bool) -> np.ndarray:
    """Leave of the elements of an array those that can have made a density not finite."""
    if bad.ndim and unfit.shape[:1] == bad.shape[:1]:
        rows = bad.reshape(len(bad), -1).any(axis=1)
        return unfit & rows.reshape(-1, *(1,) * (unfit.ndim - 1))
    return unfit & elsewhere


def _values(array: np.ndarray, places: np.ndarray) -> str:
    return ", ".join(sorted({str(array[tuple(place)]) for place in places}))


def _arrays(graph: Any) -> Iterator[tuple[Any, str, np.ndarray]]:
    for variable in graph_inputs([graph]):
        if not isinstance(variable, SharedVariable | Constant):
            continue
        array = variable.data if isinstance(variable, Constant) else variable.get_value(borrow=True)
        if isinstance(array, np.ndarray) and array.ndim and array.dtype.kind == "f":
            shape = " x ".join(map(str, array.shape))
            named = f"the data {variable.name!r}" if variable.name else ""
            yield variable, named or f"an array without a name ({shape})", array


def _at(places: np.ndarray) -> str:
    first = [int(i[0]) if len(i) == 1 else tuple(map(int, i)) for i in places[:_NAMED]]
    more = ", …" if len(places) > _NAMED else ""
    return f"in {'row' if len(places) == 1 else 'rows'} {', '.join(map(str, first))}{more}"
