"""A PyMC model without its latents: what is left of it where these are integrated out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, NoReturn, final

import numpy as np
from pytensor.graph.traversal import ancestors

from taut.engine import Programs
from taut.errors import ArgumentError
from taut.frontend import AbstractDataSets, AbstractSource
from taut.frontend.pymc.graph import ModelGraph, lift_data
from taut.frontend.pymc.lift import Constrain, LiftedModel
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

_INTEGRATED_OUT = (
    "The latents of this fit are integrated out, in batches of groups, and its density is a sum "
    "over all of their rows, which what is asked for would read again and again. There are draws, "
    "moments, the summary, the report, save, and write_latents for the groups."
)


@final
class GlobalsAlone(AbstractSource):
    """The global unknowns of a model.

    Parameters
    ----------
    source
        The whole model, as its fits see it.
    graph
        Its graphs.
    latents
        Names of the latents, in the unconstrained space.
    check_bounds
        The model's setting.
    """

    has_density: ClassVar[bool] = False
    no_expressions: ClassVar[str] = _INTEGRATED_OUT

    def __init__(
        self, source: AbstractSource, graph: ModelGraph, latents: Sequence[str], check_bounds: bool
    ) -> None:
        self.integrated_out = tuple(latents)
        whole = source.target()
        kept = [slot for slot in whole.space if slot.name not in latents]
        self._source = source
        self._at = np.concatenate([np.arange(slot.start, slot.slice.stop) for slot in kept])
        space = Space.of({slot.name: slot.shape for slot in kept})
        lifted = _lifted(graph, latents, check_bounds)
        names = {*lifted.graph.names, *space.names}
        labels = whole.labels
        with whole.precision():
            self._target = Target(
                _no_density,
                space,
                lifted.arrays(),
                constrain_terms=Constrain(lifted, space),
                labels=Labels({n: d for n, d in labels.dims.items() if n in names}, labels.coords),
                dtype=whole.dtype,
                programs=Programs(whole.programs.in_64_bits),
            )

    def target(self) -> Target:
        return self._target

    def start(self, values: Mapping[str, Any] | None, seed: int) -> np.ndarray:
        return self._source.start(values, seed)[self._at]

    def start_sigma(self, values: Mapping[str, Any] | None) -> np.ndarray:
        return self._source.start_sigma(values)[self._at]

    def prior_points(self, count: int, seed: int) -> np.ndarray | None:
        points = self._source.prior_points(count, seed)
        return None if points is None else points[:, self._at]

    def row_factors(self, rows: Mapping[str, int] | None, latents: Mapping[str, int]) -> RowFactors:
        _integrated_out()

    def globals_alone(self, latents: Sequence[str]) -> AbstractSource:
        _integrated_out()

    def slot_name(self, variable: Any) -> str:
        return self._source.slot_name(variable)

    def blame(self, z: np.ndarray) -> str | None:
        whole = self._source.start(None, 0)
        whole[self._at] = z
        return self._source.blame(whole)

    def log_density(self, z: np.ndarray) -> None:
        return None

    def discontinuities(self) -> tuple[str, ...]:
        return self._source.discontinuities()

    def description(self) -> Description:
        whole, names = self._source.description(), self._target.space.names
        kept = tuple(one for one in whole.variables if one.unconstrained in names)
        return replace(whole, variables=kept)

    def portable(self) -> "PortableGlobals":
        return PortableGlobals(self._source.portable(), self.integrated_out)

    def in_model(self) -> "GlobalsAlone":
        return self

    def stepping(
        self, target: Target, batching: Batching, start: np.ndarray, random_seed: int
    ) -> StepData:
        _integrated_out()

    def observed_factors(self) -> Mapping[str, Any]:
        _integrated_out()

    def factors(self) -> Factors | None:
        _integrated_out()

    def simulations(self, datasets: int, random_seed: int) -> Simulations:
        _integrated_out()

    def simulated(self, datasets: int, random_seed: int) -> tuple[np.ndarray, Iterator[Any]]:
        _integrated_out()

    def histogram(self, trace: Any) -> np.ndarray:
        _integrated_out()

    def data_sets(self, rows: Mapping[str, int] | None) -> AbstractDataSets:
        _integrated_out()


@final
class PortableGlobals:
    """A model without its latents, on its way to another process.

    Parameters
    ----------
    model
        The model, on its way.
    latents
        Names of the latents.
    """

    def __init__(self, model: Any, latents: tuple[str, ...]) -> None:
        self._content = model, latents

    def __reduce__(self) -> Any:
        return _unpacked, self._content


def _unpacked(source: AbstractSource, latents: tuple[str, ...]) -> AbstractSource:
    return source.globals_alone(latents)


def _lifted(graph: ModelGraph, latents: Sequence[str], check_bounds: bool) -> LiftedModel:
    """Lift what the globals alone decide of the constrained variables."""
    hidden = {value for value in graph.values if value.name in latents}
    seen = [hidden.isdisjoint(ancestors([one])) for one in graph.constrained]
    kept = [i for i, of_globals in enumerate(seen) if of_globals]
    part = ModelGraph(
        [value for value in graph.values if value not in hidden],
        [],
        [graph.names[i] for i in kept],
        [graph.constrained[i] for i in kept],
        [],
        [],
    )
    return LiftedModel(part, lift_data(part.outputs), _no_density, check_bounds)


def _integrated_out(*_: Any) -> NoReturn:
    raise ArgumentError(_INTEGRATED_OUT)


_no_density: Callable[..., Any] = _integrated_out
