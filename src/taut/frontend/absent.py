"""The source of a saved fit that was loaded without its model."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NoReturn

import numpy as np

from taut.errors import ArgumentError
from taut.frontend.base import AbstractDataSets, AbstractSource
from taut.frontend.inverse import Inverse
from taut.frontend.portable import Portable, portable
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

_NEEDED = (
    "This fit was loaded without its model, and what is asked for needs that: "
    "taut.load(path, model=model). Without it there are draws, moments, the history and the report."
)


class AbsentModel(AbstractSource):
    """What a saved fit tells of its model: names, shapes, and how variables are constrained.

    Parameters
    ----------
    description
        Of the model.
    labels
        Dims and coordinates.
    jumps
        What `discontinuities` found.
    """

    has_density: ClassVar[bool] = False
    no_expressions: ClassVar[str] = _NEEDED

    def __init__(self, description: Description, labels: Labels, jumps: tuple[str, ...]) -> None:
        self._description, self._labels, self._jumps = description, labels, jumps
        space = Space.of({v.unconstrained: v.shape for v in description.variables})
        self._target = Target(
            _needs_model, space, constrain_terms=Inverse(description.variables), labels=labels,
            dtype=description.dtype,
        )  # fmt: skip

    @property
    def model(self) -> None:
        """There is none."""
        return None

    def target(self) -> Target:
        return self._target

    def stepping(
        self, target: Target, batching: Batching, start: np.ndarray, random_seed: int
    ) -> StepData:
        _needs_model()

    def start(self, values: Mapping[str, Any] | None, seed: int) -> np.ndarray:
        _needs_model()

    def start_sigma(self, values: Mapping[str, Any] | None) -> np.ndarray:
        _needs_model()

    def prior_points(self, count: int, seed: int) -> np.ndarray | None:
        _needs_model()

    def observed_factors(self) -> Mapping[str, Any]:
        _needs_model()

    def factors(self) -> Factors | None:
        _needs_model()

    def row_factors(self, rows: Mapping[str, int] | None, latents: Mapping[str, int]) -> RowFactors:
        _needs_model()

    def globals_alone(self, latents: Sequence[str]) -> AbstractSource:
        _needs_model()

    def slot_name(self, variable: Any) -> str:
        _needs_model()

    def simulations(self, datasets: int, random_seed: int) -> Simulations:
        _needs_model()

    def simulated(self, datasets: int, random_seed: int) -> tuple[np.ndarray, Iterator[Any]]:
        _needs_model()

    def histogram(self, trace: Any) -> np.ndarray:
        _needs_model()

    def blame(self, z: np.ndarray) -> str | None:
        _needs_model()

    def log_density(self, z: np.ndarray) -> None:
        return None

    def discontinuities(self) -> tuple[str, ...]:
        return self._jumps

    def description(self) -> Description:
        return self._description

    def portable(self) -> Portable:
        return portable(self, _itself)

    def data_sets(self, rows: Mapping[str, int] | None) -> AbstractDataSets:
        _needs_model()

    def in_model(self) -> "AbsentModel":
        return self


def _itself(source: AbsentModel) -> AbsentModel:
    return source


def _needs_model(*_: Any) -> NoReturn:
    raise ArgumentError(_NEEDED)
