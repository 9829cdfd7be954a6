"""A PyMC model, seen from inference."""

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pytensor
from pymc.backends.arviz import coords_and_dims_for_inferencedata
from pymc.model.core import modelcontext

from taut.compilation import Programs
from taut.errors import ArgumentError
from taut.frontend.base import AbstractSource
from taut.frontend.plain import known_name
from taut.frontend.pymc.blame import Blame
from taut.frontend.pymc.histogram import histogram
from taut.frontend.pymc.jaxify import load_backend
from taut.frontend.pymc.lift import Constrain, LiftedModel, Terms, lift
from taut.frontend.pymc.start import Point, default_point, start_point, start_scale
from taut.space import Labels, Space
from taut.target import Target


def find_model(model: Any = None) -> Any:
    """Give the model, by default the one on the context.

    Raises
    ------
    ArgumentError
        There is none on the context.
    """
    try:
        return modelcontext(model)
    except TypeError as error:
        raise ArgumentError(
            "There is no model: none was given and none is on the context. Write "
            "taut.fit(model=model), or call it inside `with model:`."
        ) from error


class PyMCSource(AbstractSource):
    """A PyMC model; what is built for it once is kept as long as the model lives.

    Parameters
    ----------
    model
        The model.
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    def target(self) -> Target:
        built = self._built()
        space = built.space()
        dtype = np.dtype(pytensor.config.floatX).name
        with jax.enable_x64(dtype == "float64"):
            return Target(
                Terms(built.lifted, space),
                space,
                built.lifted.arrays(),
                built.lifted.batches(),
                Constrain(built.lifted, space),
                _labels(self.model, space),
                dtype,
                built.programs,
            )

    def start(self, values: Mapping[str, Any] | None, seed: int) -> np.ndarray:
        built = self._built()
        point = built.point(seed)
        if not values:
            return built.space().ravel(point)
        return start_point(self.model, values, point, seed)

    def start_sigma(self, values: Mapping[str, Any] | None) -> np.ndarray:
        return start_scale(self.model, values or {}, self._built().space())

    def slot_name(self, variable: Any) -> str:
        values = {rv.name: self.model.rvs_to_values[rv].name for rv in self.model.free_RVs}
        names = values | {name: name for name in values.values()}
        return known_name(str(getattr(variable, "name", variable)), names)

    def histogram(self, trace: Any) -> np.ndarray:
        with jax.enable_x64(pytensor.config.floatX == "float64"):
            return histogram(self.model, trace, self._built().space())

    def blame(self, z: np.ndarray) -> str | None:
        built = self._built()
        return built.blame(self.model, built.space().unravel(np.asarray(z)))

    def _built(self) -> "_Built":
        built = _BUILT.get(self.model)
        parts = _parts(self.model)
        if built is None or not built.serves(parts):
            built = _BUILT[self.model] = _build(self.model, parts)
        return built


@dataclass(eq=False)
class _Built:
    """What is built for a model once."""

    parts: list[Any]
    lifted: LiftedModel
    blame: Blame
    point: Callable[[int], Point]
    programs: Programs

    def space(self) -> Space:
        """Lay out the value variables with the shapes they have at this moment."""
        return Space.of({name: np.shape(value) for name, value in self.point(0).items()})

    def serves(self, parts: list[Any]) -> bool:
        """Tell whether a model of these parts is still the one this was built for."""
        same = len(parts) == len(self.parts) and all(map(_same, parts, self.parts))
        return same and self.lifted.is_current()


_BUILT: "weakref.WeakKeyDictionary[Any, _Built]" = weakref.WeakKeyDictionary()


def _build(model: Any, parts: list[Any]) -> _Built:
    load_backend()
    point = default_point(model)
    with jax.enable_x64(pytensor.config.floatX == "float64"):
        lifted = lift(model, [np.shape(value) for value in point(0).values()])
    return _Built(parts, lifted, Blame(), point, Programs())


def _parts(model: Any) -> list[Any]:
    """List what decides a model's functions, should variables be added or replaced."""
    variables = [
        *model.free_RVs,
        *model.observed_RVs,
        *model.potentials,
        *model.deterministics,
    ]
    values = [model.rvs_to_values.get(variable) for variable in variables]
    initial = [model.rvs_to_initial_values.get(rv) for rv in model.free_RVs]
    return [*variables, *values, *initial, model.check_bounds, pytensor.config.floatX]


def _same(one: Any, other: Any) -> bool:
    # Not ==, which PyTensor's and NumPy's types may answer with an array.
    return one is other or (isinstance(one, str | bool) and one == other)


def _labels(model: Any, space: Space) -> Labels:
    coords, dims = coords_and_dims_for_inferencedata(model)
    named = {name: tuple(of_name) for name, of_name in dims.items()}
    lengths = {name: len(values) for name, values in coords.items()}
    for rv in model.free_RVs:
        value = model.rvs_to_values[rv].name
        shape = tuple(lengths.get(dim) for dim in named.get(rv.name, ()))
        if shape and shape == space[value].shape:
            named.setdefault(value, named[rv.name])
    return Labels(named, coords)
