"""A PyMC model, seen from inference."""

import functools
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np
import pytensor
from pymc.backends.arviz import coords_and_dims_for_inferencedata
from pymc.model.core import modelcontext

from taut.batches import AllRows, ConstantFeed, SameRows
from taut.engine import Kept, Programs, Same
from taut.errors import ArgumentError, ModelError, warn
from taut.frontend import AbstractDataSets, AbstractSource, Portable, known_name, portable
from taut.frontend.pymc.as_matrix import histogram
from taut.frontend.pymc.data_sets import PyMCDataSets
from taut.frontend.pymc.describe import describe
from taut.frontend.pymc.globals_alone import GlobalsAlone
from taut.frontend.pymc.graph import check_total_sizes, circular_elements, read_model
from taut.frontend.pymc.graph.discontinuities import discontinuities
from taut.frontend.pymc.lift import (
    Constrain,
    LiftedFactors,
    LiftedModel,
    Terms,
    conditionals_of,
    lift_factors,
    load_backend,
)
from taut.frontend.pymc.lift.lift import lift
from taut.frontend.pymc.nonfinite import Blame
from taut.frontend.pymc.prior import prior_points
from taut.frontend.pymc.rows import (
    Batcher,
    MinibatchRows,
    RowBatches,
    observed_factors,
    scale,
    whole,
)
from taut.frontend.pymc.rows.find import told_axes
from taut.frontend.pymc.rows.padded_model import PaddedModel, kept_by
from taut.frontend.pymc.rows.row_factors import LiftedRows, lift_rows
from taut.frontend.pymc.simulate import as_inputs, draw_jointly, observing_each
from taut.frontend.pymc.start import Point, default_point, start_point, start_scale
from taut.target import (
    Batching,
    Description,
    Factors,
    Labels,
    RowFactors,
    Simulations,
    Space,
    StepData,
    Target,
)

# Sets of replacements of a model whose functions are kept.
_MOST = 16


def find_model(model: Any = None) -> Any:
    """Return the model, by default the one on the context.

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
            batches = built.minibatches.batches()
            return Target(
                Terms(built.lifted, space),
                space,
                built.lifted.arrays(),
                batches,
                Constrain(built.lifted, space),
                self._labels(built, space),
                dtype,
                built.programs,
                whole(batches),
                built.lifted.factors_matrices,
                conditionals_of(built.lifted, space),
                circular_elements(self.model, space),
            )

    def _labels(self, built: "_Built", space: Space) -> Labels:
        """Label the variables, and warn once of coordinates that are no labels."""
        labels, left_out = _labels(self.model, space)
        if left_out - built.unlabelled:
            warn(
                f"The coordinates {', '.join(map(repr, sorted(left_out)))} have several levels, as "
                "a pandas MultiIndex has. Draws are numbered along them instead; labels of one "
                "level, such as index.map(str), are kept."
            )
            built.unlabelled.update(left_out)
        return labels

    def stepping(
        self, target: Target, batching: Batching, start: np.ndarray, random_seed: int
    ) -> StepData:
        built = self._built()
        batcher = Batcher(self.model, target, batching, built.rows, built.blame)
        spread = functools.cache(lambda: batcher.spread(start, random_seed))
        if batching.batch_size is not None:
            stepping = batcher.stepping(start, random_seed)
            if stepping is not None:
                is_spread = batching.devices is not None and batching.source is None
                return replace(stepping, spread=spread) if is_spread else stepping
        elif batching.require_total_size:
            check_total_sizes(self.model, batching.more_replacements)
        if batching.devices is not None:
            return StepData(spread(), ConstantFeed(SameRows(spread().whole)), spread=spread)
        if batching.more_replacements:
            target = self._replaced(built, target, batching.more_replacements)
        return StepData(target, ConstantFeed(target.batches), scale(target.batches))

    def _replaced(self, built: "_Built", whole: Target, replacements: Mapping[Any, Any]) -> Target:
        """Make the target in which variables are replaced."""
        lifted, minibatches = self._lifted(built, replacements)
        with whole.precision():
            return Target(
                Terms(lifted, whole.space),
                whole.space,
                lifted.arrays(),
                minibatches.batches(),
                labels=whole.labels,
                dtype=whole.dtype,
                programs=whole.programs,
                circular=whole.circular,
            )

    def _lifted(
        self, built: "_Built", replacements: Mapping[Any, Any]
    ) -> tuple[LiftedModel, MinibatchRows]:
        """Lift the model with variables replaced, or return what was lifted before."""
        return built.replaced(
            tuple((Same(old), Same(new)) for old, new in replacements.items()),
            lambda: _lift(self.model, built.point, replacements),
            lambda found: found[0].is_current(),
        )

    def simulations(self, datasets: int, random_seed: int) -> Simulations:
        truths, drawn = draw_jointly(self.model, datasets, random_seed)
        built, whole = self._built(), self.target()
        if built.simulated is None:
            built.simulated = as_inputs(self.model, drawn)
        replacements, shared = built.simulated
        target = self._replaced(built, whole, replacements)
        lifted, _ = self._lifted(built, replacements)
        if not lifted.reads_inputs:
            raise ModelError("Data sets can be fitted at once only where JAX evaluates the model.")
        arrays = zip(drawn, shared, strict=True)
        return Simulations(
            target,
            tuple(lifted.data.sources.index(one) for one in shared),
            tuple(
                v.reshape(datasets, *(v.shape[1:] or (1,))).astype(one.dtype) for v, one in arrays
            ),
            _rows_of(truths, whole.space, datasets),
        )

    def simulated(self, datasets: int, random_seed: int) -> tuple[np.ndarray, Iterator[Any]]:
        truths, drawn = draw_jointly(self.model, datasets, random_seed)
        rows = _rows_of(truths, self._built().space(), datasets)
        return rows, observing_each(self.model, drawn)

    def start(self, values: Mapping[str, Any] | None, seed: int) -> np.ndarray:
        built = self._built()
        point = built.point(seed)
        if not values:
            return built.space().ravel(point)
        return start_point(self.model, values, point, seed)

    def start_sigma(self, values: Mapping[str, Any] | None) -> np.ndarray:
        return start_scale(self.model, values or {}, self._built().space())

    def prior_points(self, count: int, seed: int) -> np.ndarray | None:
        built = self._built()
        if built.prior is None:
            built.prior = prior_points(self.model)
        return built.prior(count, seed)

    def observed_factors(self) -> Mapping[str, Any]:
        built = self._built()
        if built.pointwise is None:
            built.pointwise = observed_factors(self.model)
        return built.pointwise

    def factors(self) -> Factors | None:
        built = self._built()
        space = built.space()
        with jax.enable_x64(pytensor.config.floatX == "float64"):
            if built.factors is None:
                graph = built.lifted.graph
                built.factors = (lift_factors(graph, built.lifted.check_bounds, space),)
            [lifted] = built.factors
            return None if lifted is None else lifted.factors(space)

    def row_factors(self, rows: Mapping[str, int] | None, latents: Mapping[str, int]) -> RowFactors:
        built = self._built()
        if not isinstance(built.minibatches.batches(), AllRows):
            raise ModelError(
                "The model draws its own batches by pymc.Minibatch. Batches of whole groups are "
                "made of all rows: write the model without it."
            )
        space = built.space()
        axes = None if rows is None else told_axes(self.model, rows)
        with jax.enable_x64(pytensor.config.floatX == "float64"):
            lifted = built.in_rows(
                (kept_by(self.model, rows), tuple(latents.items())),
                lambda: lift_rows(self.model, built.lifted.graph, axes, space, latents),
                lambda found: found.data.is_current(),
            )
            return lifted.factors(self.model, space)

    def globals_alone(self, latents: Sequence[str]) -> GlobalsAlone:
        return GlobalsAlone(self, self._built().lifted.graph, latents, self.model.check_bounds)

    def slot_name(self, variable: Any) -> str:
        values = {rv.name: self.model.rvs_to_values[rv].name for rv in self.model.free_RVs}
        names = values | {name: name for name in values.values()}
        return known_name(str(getattr(variable, "name", variable)), names)

    def histogram(self, trace: Any) -> np.ndarray:
        with jax.enable_x64(pytensor.config.floatX == "float64"):
            return histogram(self.model, trace, self._built().space())

    def blame(self, z: np.ndarray) -> str | None:
        built = self._built()
        # PyTensor refuses numbers of more digits than its own.
        point = np.asarray(z, pytensor.config.floatX)
        return built.blame(self.model, built.space().unravel(point))

    def log_density(self, z: np.ndarray) -> tuple[float, float] | None:
        built = self._built()
        if not isinstance(built.minibatches.batches(), AllRows):
            return None
        point = built.space().unravel(np.asarray(z, pytensor.config.floatX))
        factors = [one.astype(float) for one in built.blame.factors(self.model, point)]
        sizes = [np.abs(one) for one in factors]
        return float(sum(map(np.sum, factors))), float(sum(map(np.sum, sizes)))

    def discontinuities(self) -> tuple[str, ...]:
        built = self._built()
        if built.discontinuities is None:
            built.discontinuities = discontinuities(self.model, built.lifted.graph.factors)
        return built.discontinuities

    def description(self) -> Description:
        return describe(self.model, self._built().space())

    def portable(self) -> Portable:
        return portable(self.model, PyMCSource)

    def data_sets(self, rows: Mapping[str, int] | None) -> AbstractDataSets:
        built = self._built()
        if not isinstance(built.minibatches.batches(), AllRows):
            raise ModelError(
                "The model draws its own batches by pymc.Minibatch. Many data sets are fitted with "
                "all of their rows: write the model without it."
            )
        kept = built.padded(
            kept_by(self.model, rows),
            lambda: PaddedModel.of(self.model, built.lifted.graph, self.target(), rows),
            lambda found: found.lifted.is_current(),
        )
        return PyMCDataSets(self, self.model, kept, rows)

    def in_model(self) -> "PyMCSource":
        return self

    def _built(self) -> "_Built":
        built = _BUILT.get(self.model)
        parts = _parts(self.model)
        if built is None or not built.serves(parts):
            built = _BUILT[self.model] = _build(self.model, parts)
        return built


def _rows_of(values: Mapping[str, np.ndarray], space: Space, count: int) -> np.ndarray:
    """Lay values of variables out as flat vectors, one a row."""
    return np.array([space.ravel({k: v[i] for k, v in values.items()}) for i in range(count)])


@dataclass(eq=False)
class _Built:
    """What is built for a model once."""

    parts: list[Any]
    lifted: LiftedModel
    minibatches: MinibatchRows
    blame: Blame
    point: Callable[[int], Point]
    programs: Programs
    rows: RowBatches = field(default_factory=RowBatches)
    replaced: Kept[Any, tuple[LiftedModel, MinibatchRows]] = field(
        default_factory=lambda: Kept(_MOST)
    )
    padded: Kept[Any, PaddedModel] = field(default_factory=lambda: Kept(_MOST))
    in_rows: Kept[Any, LiftedRows] = field(default_factory=lambda: Kept(_MOST))
    prior: Callable[[int, int], np.ndarray | None] | None = None
    pointwise: dict[str, Any] | None = None
    simulated: tuple[dict[Any, Any], list[Any]] | None = None
    unlabelled: set[str] = field(default_factory=set)
    discontinuities: tuple[str, ...] | None = None
    factors: tuple[LiftedFactors | None] | None = None

    def space(self) -> Space:
        """Lay out the value variables with the shapes they have at this moment."""
        return Space.of({name: np.shape(value) for name, value in self.point(0).items()})

    def serves(self, parts: list[Any]) -> bool:
        """Check whether a model of these parts is still the one this was built for."""
        same = len(parts) == len(self.parts) and all(map(_same, parts, self.parts))
        return same and self.lifted.is_current()


_BUILT: "weakref.WeakKeyDictionary[Any, _Built]" = weakref.WeakKeyDictionary()


def _build(model: Any, parts: list[Any]) -> _Built:
    load_backend()
    point = default_point(model)
    lifted, minibatches = _lift(model, point, {})
    programs = Programs(pytensor.config.floatX == "float64")
    return _Built(parts, lifted, minibatches, Blame(lifted.graph.factors), point, programs)


def _lift(
    model: Any, point: Callable[[int], Point], more_replacements: Mapping[Any, Any]
) -> tuple[LiftedModel, MinibatchRows]:
    graph = read_model(model, more_replacements)
    minibatches = MinibatchRows(graph.minibatches)
    shapes = [np.shape(value) for value in point(0).values()]
    with jax.enable_x64(pytensor.config.floatX == "float64"):
        return lift(model, graph, shapes, whole(minibatches.batches())), minibatches


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


def _labels(model: Any, space: Space) -> tuple[Labels, set[str]]:
    """Return dims and coordinates, and the names of those that are no list of labels."""
    coords, dims = coords_and_dims_for_inferencedata(model)
    named = {name: tuple(of_name) for name, of_name in dims.items()}
    lengths = {name: len(values) for name, values in coords.items()}
    for rv in model.free_RVs:
        value = model.rvs_to_values[rv].name
        shape = tuple(lengths.get(dim) for dim in named.get(rv.name, ()))
        if shape and shape == space[value].shape:
            named.setdefault(value, named[rv.name])
    left_out = {name for name, values in coords.items() if np.ndim(values) != 1}
    kept = {name: values for name, values in coords.items() if name not in left_out}
    return Labels(named, kept), left_out
