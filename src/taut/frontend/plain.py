"""A target that was written by hand."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from taut.batches import ConstantFeed
from taut.errors import ArgumentError, GroupError, StartError
from taut.frontend.base import AbstractDataSets, AbstractSource
from taut.frontend.matching import nearest
from taut.frontend.portable import Portable, portable
from taut.target import (
    Batching,
    Description,
    Factors,
    RowFactors,
    Simulations,
    Space,
    StepData,
    Target,
)

_NO_GROUPS = (
    "Batches of groups are read off a pymc.Model, and a target that was written by hand has no "
    "data with names. Leave groups out."
)
_DRAWS_NOTHING = "A target that was written by hand draws no data. Simulation needs a pymc.Model."


class PlainSource(AbstractSource):
    """A target without a model behind it; it starts at zero.

    Parameters
    ----------
    target
        The target.
    """

    def __init__(self, target: Target) -> None:
        self._target = target

    def target(self) -> Target:
        return self._target

    def stepping(
        self, target: Target, batching: Batching, start: np.ndarray, random_seed: int
    ) -> StepData:
        if batching.devices is not None:
            raise ArgumentError(
                "devices spreads the rows of a pymc.Model, and which arrays of a target that was "
                "written by hand have rows is not known. Leave devices out, or write the target "
                "for several devices itself, by jax.shard_map."
            )
        if batching != Batching():
            raise ArgumentError(
                "A target that was written by hand draws its own batches, and has no variables "
                "that could be replaced: give it Target(batches=...)."
            )
        return StepData(target, ConstantFeed(target.batches))

    def start(self, values: Mapping[str, Any] | None, seed: int) -> np.ndarray:
        return fill(self._target.space, values, 0.0, "start")

    def start_sigma(self, values: Mapping[str, Any] | None) -> np.ndarray:
        return fill(self._target.space, values, np.nan, "start_sigma")

    def prior_points(self, count: int, seed: int) -> np.ndarray | None:
        return None

    def observed_factors(self) -> Mapping[str, Any]:
        raise ArgumentError(
            "A target that was written by hand has no observed variables: its log likelihood is "
            "a sum. Evaluate target.log_likelihood at draws."
        )

    def factors(self) -> Factors | None:
        return self._target.factors

    def row_factors(self, rows: Mapping[str, int] | None, latents: Mapping[str, int]) -> RowFactors:
        raise ArgumentError(_NO_GROUPS)

    def globals_alone(self, latents: Sequence[str]) -> AbstractSource:
        raise ArgumentError(_NO_GROUPS)

    def slot_name(self, variable: Any) -> str:
        return known_name(str(variable), {name: name for name in self._target.space.names})

    def simulations(self, datasets: int, random_seed: int) -> Simulations:
        raise ArgumentError(_DRAWS_NOTHING)

    def simulated(self, datasets: int, random_seed: int) -> tuple[np.ndarray, Iterator[Any]]:
        raise ArgumentError(_DRAWS_NOTHING)

    def histogram(self, trace: Any) -> np.ndarray:
        return np.atleast_2d(np.asarray(trace, self._target.dtype))

    def blame(self, z: np.ndarray) -> str | None:
        with self._target.precision():
            prior, likelihood = (float(term) for term in self._target.split(jnp.asarray(z)))
        terms = {"the log prior": prior, "the log likelihood": likelihood}
        bad = [f"{name} is {value}" for name, value in terms.items() if not np.isfinite(value)]
        return "; ".join(bad) or None

    def log_density(self, z: np.ndarray) -> None:
        return None

    def discontinuities(self) -> tuple[str, ...]:
        return ()

    def description(self) -> Description:
        return Description.of_target(self._target)

    def portable(self) -> Portable:
        return portable(self._target, PlainSource)

    def data_sets(self, rows: Mapping[str, int] | None) -> AbstractDataSets:
        raise ArgumentError(
            "A target that was written by hand has no data with names. Make a target of each data "
            "set with the same functions and programs, and fit them with taut.fit one by one."
        )

    def in_model(self) -> "PlainSource":
        return self


def known_name(name: str, known: Mapping[str, str]) -> str:
    """Look a variable's name up.

    Raises
    ------
    GroupError
        It is none of them.
    """
    if name not in known:
        raise GroupError(
            f"A group names {name!r}, which is no free variable of the model"
            f"{nearest(name, known)}. There are: {', '.join(known)}."
        )
    return known[name]


def fill(
    space: Space, values: Mapping[str, Any] | None, default: float, argument: str
) -> np.ndarray:
    """Lay named values into a flat vector, broadcast to each variable's shape.

    Raises
    ------
    StartError
        For a name that is none of the space's, or a shape that does not fit.
    """
    flat = np.full(space.dim, default)
    for name, value in (values or {}).items():
        if name not in space.names:
            raise StartError(
                f"{argument} names {name!r}, which is no variable of the model"
                f"{nearest(name, space.names)}. There are: {', '.join(space.names)}."
            )
        slot = space[name]
        try:
            flat[slot.slice] = np.broadcast_to(np.asarray(value, float), slot.shape).ravel()
        except ValueError as error:
            raise StartError(
                f"{argument}[{name!r}] has shape {np.shape(value)}, but {name} has shape "
                f"{slot.shape} in the unconstrained space."
            ) from error
    return flat
