"""Start points of a PyMC model."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from pymc.initial_point import convert_str_to_rv_dict, make_initial_point_expression
from pymc.pytensorf import find_rng_nodes, replace_rng_nodes, reseed_rngs

from taut.errors import StartError
from taut.frontend import fill, nearest
from taut.frontend.pymc.graph import transforms_of
from taut.frontend.pymc.lift import interpreted, interpreted_function
from taut.target import Space

Point = dict[str, np.ndarray]


def default_point(model: Any) -> Callable[[int], Point]:
    """Prepare the model's own initial point; it reads the data anew at each call."""
    return _initial(model, {})


def _initial(
    model: Any, overrides: Mapping[str, Any], *, transformed: bool = True
) -> Callable[[int], Point]:
    """Do what PyMC's `make_initial_point_fn` does, without a compiler."""
    given: Any = dict(overrides)
    values = make_initial_point_expression(
        free_rvs=model.free_RVs,
        rvs_to_transforms=transforms_of(model),
        initval_strategies=model.rvs_to_initial_values | convert_str_to_rv_dict(model, given),
        return_transformed=transformed,
    )
    function = interpreted_function([], replace_rng_nodes(values))
    generators = find_rng_nodes(function.maker.fgraph.outputs)
    names = [(model.rvs_to_values[rv] if transformed else rv).name for rv in model.free_RVs]

    def point(seed: int) -> Point:
        reseed_rngs(generators, seed % 2**32)
        with interpreted():
            return dict(zip(names, function(), strict=True))

    return point


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
    values = _by_name(values, "start")
    known = [rv.name for rv in model.free_RVs] + list(default)
    for name in values:
        if name not in known:
            raise StartError(
                f"start names {name!r}, which is no free variable of the model"
                f"{nearest(name, known)}. There are: {', '.join(known)}."
            )
    try:
        point = _initial(model, values)(seed)
    except (TypeError, ValueError) as error:
        reason = _misshapen(model, values, default) or f"start can not be used: {error}"
        raise StartError(reason) from error
    if any(np.shape(point[name]) != np.shape(default[name]) for name in default):
        raise StartError(_misshapen(model, values, default) or "A shape in start does not fit.")
    return Space.of({name: np.shape(value) for name, value in point.items()}).ravel(point)


def start_scale(model: Any, values: Mapping[Any, Any], space: Space) -> np.ndarray:
    """Lay start scales into a flat vector; they may be named like variables or value variables.

    Raises
    ------
    StartError
        For an unknown name, another shape, or what is no scale.
    """
    to_value = {rv.name: model.rvs_to_values[rv].name for rv in model.free_RVs}
    renamed = {}
    for name, value in _by_name(values, "start_sigma").items():
        try:
            scale = np.abs(np.asarray(value, float))
        except (TypeError, ValueError):
            scale = np.array(0.0)
        if not np.all((scale > 0) & np.isfinite(scale)):
            raise StartError(f"start_sigma[{name!r}] must be > 0 and finite, got {value!r}.")
        renamed[to_value.get(name, name)] = scale
    return fill(space, renamed, np.nan, "start_sigma")


def _by_name(values: Any, argument: str) -> dict[str, Any]:
    """Let variables stand for their names."""
    if not isinstance(values, Mapping):
        raise StartError(
            f"{argument} must map variables, or their names, to values, got {values!r} "
            f"({type(values).__name__})."
        )
    return {str(getattr(key, "name", key)): value for key, value in values.items()}


def _misshapen(model: Any, values: Mapping[str, Any], default: Point) -> str:
    """Say which shape values have, and which they should have; empty if all fit."""
    own = _initial(model, {}, transformed=False)(0)
    shapes = {name: np.shape(value) for name, value in (own | default).items()}
    lines = [
        f"start[{name!r}] has shape {np.shape(value)}, but {name} has shape {shapes[name]}."
        for name, value in values.items()
        if np.shape(value) != shapes[name]
    ]
    return " ".join(lines)
