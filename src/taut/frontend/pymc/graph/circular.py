"""Which variables of a PyMC model are angles, and what space these are in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from pymc.distributions.transforms import Interval, circular
from pymc.logprob.transforms import ChainedTransform, CircularTransform
from pytensor.tensor import get_underlying_scalar_constant_value
from pytensor.tensor.exceptions import NotScalarConstantError

from taut.target import Space


def circular_elements(model: Any, space: Space) -> tuple[int, ...]:
    """Find the elements of the flat vector in which the density has a period of a turn."""
    names = [
        model.rvs_to_values[rv].name
        for rv in model.free_RVs
        if isinstance(_last(model.rvs_to_transforms[rv]), CircularTransform)
    ]
    return tuple(i for name in names for i in range(space.dim)[space[name].slice])


def transforms_of(model: Any) -> dict[Any, Any]:
    """Return the transform of each variable.

    PyMC puts a transform that is asked for after the default one. For
    ``Uniform(-pi, pi, transform=circular)`` it so maps the circle to an interval that leaves out
    the directions beyond ± 2.88. Where the interval is the whole circle, that map is left out.
    """
    return {
        rv: circular if _is_whole_circle(rv, transform) else transform
        for rv, transform in model.rvs_to_transforms.items()
    }


@contextmanager
def whole_circles(model: Any) -> Iterator[None]:
    """Let PyMC build graphs with the transforms of `transforms_of`."""
    own = model.rvs_to_transforms
    model.rvs_to_transforms = transforms_of(model)
    try:
        yield
    finally:
        model.rvs_to_transforms = own


def _last(transform: Any) -> Any:
    return transform.transform_list[-1] if isinstance(transform, ChainedTransform) else transform


def _is_whole_circle(rv: Any, transform: Any) -> bool:
    if not isinstance(transform, ChainedTransform) or len(transform.transform_list) != 2:
        return False
    first, last = transform.transform_list
    if not isinstance(first, Interval) or not isinstance(last, CircularTransform):
        return False
    try:
        bounds = [get_underlying_scalar_constant_value(b) for b in first.args_fn(*rv.owner.inputs)]
    except (NotScalarConstantError, TypeError):
        return False
    return bool(np.allclose(np.asarray(bounds, float), [-np.pi, np.pi], rtol=1e-6))
