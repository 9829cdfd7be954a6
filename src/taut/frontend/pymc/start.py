"""Start points of a PyMC model."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from pymc.initial_point import make_initial_point_fn

from taut.errors import StartError
from taut.frontend.matching import nearest
from taut.frontend.plain import fill
from taut.space import Space

Point = dict[str, np.ndarray]


def default_point(model: Any) -> Callable[[int], Point]:
    """Compile the model's own initial point; it reads the data anew at each call."""
    function = make_initial_point_fn(model=model)
    return lambda seed: function(seed % 2**32)


def start_point(model: Any, values: Mapping[Any, Any], default: Point, seed: int) -> np.ndarray:
    """Evaluate the initial point with some values given.

    Parameters
    ----------
    model
        The model.
    values
        By the name of a variable (in its own space), or of its value variable (``sigma_log__``,
        in the unconstrained space).
    default
        The initial point without them, whose shapes they must keep.
    seed
        For variables that start at a draw of their prior.

    Raises
    ------
    StartError
        For an unknown name, or a value of another shape.
    """
    values = {str(getattr(key, "name", key)): value for key, value in values.items()}
    known = [rv.name for rv in model.free_RVs] + list(default)
    for name in values:
        if name not in known:
            raise StartError(
                f"start names {name!r}, which is no free variable of the model"
                f"{nearest(name, known)}. There are: {', '.join(known)}."
            )
    try:
        point = make_initial_point_fn(model=model, overrides=dict(values))(seed % 2**32)
    except (TypeError, ValueError) as error:
        raise StartError(f"start can not be used: {error}. {_expected(model, values)}") from error
    for name, value in point.items():
        if np.shape(value) != np.shape(default[name]):
            raise StartError(f"start has a value of a wrong shape. {_expected(model, values)}")
    return Space.of({name: np.shape(value) for name, value in point.items()}).ravel(point)


def start_scale(model: Any, values: Mapping[Any, Any], space: Space) -> np.ndarray:
    """Lay start scales into a flat vector; they may be named like variables or value variables."""
    to_value = {rv.name: model.rvs_to_values[rv].name for rv in model.free_RVs}
    renamed = {}
    for key, value in values.items():
        name = str(getattr(key, "name", key))
        renamed[to_value.get(name, name)] = np.abs(value)
    return fill(space, renamed, np.nan, "start_sigma")


def _expected(model: Any, values: Mapping[str, Any]) -> str:
    """Say which shape each given value has, and which it should have."""
    own = make_initial_point_fn(model=model, return_transformed=False)(0)
    lines = [
        f"start[{name!r}] has shape {np.shape(value)}, {name} has shape {np.shape(own[name])}"
        for name, value in values.items()
        if name in own and np.shape(value) != np.shape(own[name])
    ]
    return "; ".join(lines) + "." if lines else ""
