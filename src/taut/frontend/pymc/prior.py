"""Draws of a PyMC model's prior, as points of the unconstrained space."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytensor.tensor as pt
from jaxtyping import Float
from pymc.distributions.continuous import Flat, HalfFlat
from pymc.distributions.transforms import Ordered
from pymc.initial_point import make_initial_point_expression
from pymc.pytensorf import find_rng_nodes, replace_rng_nodes, reseed_rngs

from taut.frontend.pymc.graph import transforms_of
from taut.frontend.pymc.lift import interpreted, interpreted_function

Points = Float[np.ndarray, "points dim"]

_IMPROPER: Any = (Flat.rv_type, HalfFlat.rv_type)
# What distributions raise that can not be drawn from.
_NOT_DRAWN = (NotImplementedError, ValueError, TypeError, FloatingPointError, OverflowError)


class _Sorted:
    """A transform of ordered variables, before which independent draws are put in order."""

    def __init__(self, transform: Any) -> None:
        self._transform = transform

    def forward(self, value: Any, *inputs: Any) -> Any:
        return self._transform.forward(pt.sort(value, axis=-1), *inputs)

    def backward(self, value: Any, *inputs: Any) -> Any:
        return self._transform.backward(value, *inputs)


def prior_points(model: Any) -> Callable[[int, int], Points | None]:
    """Prepare draws of the free variables; a potential has no part in them.

    Node by node in Python: some tens of draws take less time than a compiler needs to start.

    Returns
    -------
    Callable
        ``(count, seed) -> points``, with NaN for variables whose prior is improper; `None` where
        no variable can be drawn, or one that is proper can not.
    """
    improper = [isinstance(rv.owner.op, _IMPROPER) for rv in model.free_RVs]
    draw = _joint_draw(model, improper)

    def points(count: int, seed: int) -> Points | None:
        if all(improper):
            return None
        try:
            return np.array(draw(count, seed), float)
        except _NOT_DRAWN:
            return None

    return points


def _joint_draw(model: Any, improper: list[bool]) -> Callable[[int, int], list[Points]]:
    at_start = {rv: model.rvs_to_initial_values[rv] for rv in model.free_RVs}
    values = make_initial_point_expression(
        free_rvs=model.free_RVs,
        rvs_to_transforms={rv: _ordering(t) for rv, t in transforms_of(model).items()},
        initval_strategies={
            rv: at_start[rv] if flat else "prior"
            for rv, flat in zip(model.free_RVs, improper, strict=True)
        },
        return_transformed=True,
    )
    function = interpreted_function([], replace_rng_nodes(values), rewrites=False)
    generators = find_rng_nodes(function.maker.fgraph.outputs)

    def flat(value: Any, is_improper: bool) -> np.ndarray:
        return np.full(np.size(value), np.nan) if is_improper else np.ravel(value)

    def draw(count: int, seed: int) -> list[Points]:
        reseed_rngs(generators, seed)
        with interpreted(), np.errstate(all="ignore"):
            drawn = [function() for _ in range(count)]
        return [
            np.concatenate([flat(*v) for v in zip(one, improper, strict=True)]) for one in drawn
        ]

    return draw


def _ordering(transform: Any) -> Any:
    return _Sorted(transform) if isinstance(transform, Ordered) else transform
