"""A PyMC model with one of many data sets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import jax
import numpy as np
import pymc as pm
from pytensor.graph.traversal import graph_inputs

from taut.batches import ConstantFeed
from taut.errors import ArgumentError
from taut.frontend import NOT_EVALUATED, AbstractDataSet, AbstractDataSets, AbstractSource
from taut.frontend.pymc.rows.evaluated_rows import EvaluatedRows
from taut.target import (
    Batching,
    Description,
    Factors,
    RowFactors,
    Simulations,
    StepData,
    Target,
    digest,
)

# Rows of a density that counts none of them, where there are more than so many.
_FEW, _MANY = 128, 4096
# Rows a message names.
_NAMED = 5


@final
@dataclass(frozen=True, eq=False)
class Given:
    """What a data set gives.

    Parameters
    ----------
    values
        As it was given, by name.
    rows
        The arrays of each group of rows, not filled up.
    others
        Data without rows, by their variables.
    """

    values: Mapping[str, Any]
    rows: tuple[tuple[np.ndarray, ...], ...]
    others: Mapping[Any, np.ndarray]


@final
class OneDataSet(AbstractDataSet):
    """A model with one of many data sets, in programs that all of these share.

    Parameters
    ----------
    source
        The model with its own data.
    model
        The model itself.
    target
        The density on rows that are filled up.
    evaluated
        Evaluates its terms on the host.
    given
        The data set.
    told
        Which data have rows, as the user said.
    """

    no_expressions: ClassVar[str] = (
        "This is one of many fits, and the model holds other data. Put these into it, "
        "approx = many.on_model(key), and ask that."
    )

    def __init__(
        self,
        source: AbstractSource,
        model: Any,
        target: Target,
        evaluated: EvaluatedRows,
        given: Given,
        told: Mapping[str, int] | None,
    ) -> None:
        self._source, self._model = source, model
        self._target, self._evaluated = target, evaluated
        self.given, self._told = given, told

    def target(self) -> Target:
        return self._target

    def without_rows(self) -> Target:
        whole = tuple(tuple(map(np.asarray, group)) for group in self._target.whole)
        if any(len(group[-1]) > _MANY for group in whole):
            # None of them counts: few are as good, though they take a program of their own.
            whole = tuple(tuple(array[:_FEW] for array in group) for group in whole)
        # Weights are the last of a group.
        none = tuple((*group[:-1], np.zeros_like(group[-1])) for group in whole)
        with self._target.precision():
            return replace(self._target, whole=jax.tree.map(jax.device_put, none))

    def stepping(
        self, target: Target, batching: Batching, start: np.ndarray, random_seed: int
    ) -> StepData:
        if batching.devices is not None:
            raise ArgumentError(
                "The rows of one of many data sets are not spread over devices: leave devices out."
            )
        if batching.batch_size is not None or batching.more_replacements:
            raise ArgumentError(
                "Many data sets are fitted with all of their rows: leave batch_size and "
                "more_replacements out."
            )
        return StepData(target, ConstantFeed(target.batches))

    def start(self, values: Mapping[str, Any] | None, seed: int) -> np.ndarray:
        return self._source.start(values, seed)

    def start_sigma(self, values: Mapping[str, Any] | None) -> np.ndarray:
        return self._source.start_sigma(values)

    def prior_points(self, count: int, seed: int) -> np.ndarray | None:
        return self._source.prior_points(count, seed)

    def observed_factors(self) -> Mapping[str, Any]:
        raise ArgumentError(self.no_expressions)

    def factors(self) -> Factors | None:
        return None

    def row_factors(self, rows: Mapping[str, int] | None, latents: Mapping[str, int]) -> RowFactors:
        raise ArgumentError(self.no_expressions)

    def globals_alone(self, latents: Sequence[str]) -> AbstractSource:
        raise ArgumentError(self.no_expressions)

    def slot_name(self, variable: Any) -> str:
        return self._source.slot_name(variable)

    def simulations(self, datasets: int, random_seed: int) -> Simulations:
        raise ArgumentError(self.no_expressions)

    def simulated(self, datasets: int, random_seed: int) -> tuple[np.ndarray, Iterator[Any]]:
        raise ArgumentError(self.no_expressions)

    def histogram(self, trace: Any) -> np.ndarray:
        return self._source.histogram(trace)

    def blame(self, z: np.ndarray) -> str | None:
        try:
            terms = self._terms(z)
        except (IndexError, ValueError) as error:
            return f"{NOT_EVALUATED}: {str(error).splitlines()[0]}{self._integers()}"
        named = zip(self._evaluated.names, terms, strict=True)
        lines = [_describe(name, term) for name, term in named if not np.isfinite(term).all()]
        return "\n".join(lines) or None

    def log_density(self, z: np.ndarray) -> tuple[float, float] | None:
        terms = self._terms(z)
        return float(sum(map(np.sum, terms))), float(sum(np.abs(term).sum() for term in terms))

    def discontinuities(self) -> tuple[str, ...]:
        return self._source.discontinuities()

    def description(self) -> Description:
        known = self._source.description()
        own = {
            name: digest([np.asarray(value)])
            for name, value in self.given.values.items()
            if name in known.fingerprints
        }
        return replace(known, fingerprints={**known.fingerprints, **own})

    def portable(self) -> "PortableDataSet":
        return PortableDataSet(self._source.portable(), self.given.values, self._told)

    def data_sets(self, rows: Mapping[str, int] | None) -> AbstractDataSets:
        raise ArgumentError(self.no_expressions)

    def in_model(self) -> AbstractSource:
        put_into(self._model, self.given.values)
        return self._source

    def _terms(self, z: np.ndarray) -> list[np.ndarray]:
        values = list(self._target.space.unravel(np.asarray(z, self._target.dtype)).values())
        return self._evaluated(values, self.given.others, self.given.rows)

    def _integers(self) -> str:
        """List the integers among the data, one of which may be an index that there is not."""
        ranges = [
            f"{name!r} has {np.min(value)} to {np.max(value)}"
            for name, value in self.given.values.items()
            if np.asarray(value).dtype.kind in "iu" and np.size(value)
        ]
        return f" ({', '.join(ranges)} in this data set)" if ranges else ""


@final
class PortableDataSet:
    """A model with one of many data sets, on its way to another process.

    Parameters
    ----------
    model
        The model, on its way.
    values
        The data set.
    told
        Which data have rows.
    """

    def __init__(
        self, model: Any, values: Mapping[str, Any], told: Mapping[str, int] | None
    ) -> None:
        self._content = model, dict(values), told

    def __reduce__(self) -> Any:
        return _unpacked, self._content


def _unpacked(source: Any, values: Mapping[str, Any], told: Mapping[str, int] | None) -> Any:
    return source.data_sets(told).one(values)


def put_into(model: Any, values: Mapping[str, Any]) -> None:
    """Let a model hold a data set; rows that have labels get numbers in their place.

    Raises
    ------
    ArgumentError
        A variable observes what is no `pymc.Data`.
    """
    data = {str(variable.name): variable for variable in model.data_vars}
    behind = {
        rv.name: str(root.name)
        for rv in model.observed_RVs
        for root in graph_inputs([model.rvs_to_values[rv]])
        if root.name in data
    }
    coords: dict[str, Any] = {}
    named = {name if name in data else behind.get(name): value for name, value in values.items()}
    if None in named:
        fixed = ", ".join(repr(n) for n in values if n not in data and n not in behind)
        raise ArgumentError(
            f"{fixed} is built into the model. Let it observe data that can be set: "
            "observed=pm.Data('name', array)."
        )
    for name, value in named.items():
        dims = model.named_vars_to_dims.get(name, ())
        for dim, length in zip(dims, np.shape(value), strict=False):
            labels = model.coords.get(dim)
            if labels is not None and len(labels) != length:
                coords[dim] = np.arange(length)
    with model:
        pm.set_data(named, coords=coords or None)


def _describe(name: str, term: np.ndarray) -> str:
    bad = np.argwhere(~np.isfinite(term))
    kinds = ", ".join(sorted({str(term[tuple(index)]) for index in bad}))
    first = ", ".join(str(int(index[0])) for index in bad[:_NAMED]) if term.ndim else ""
    where = f" of its {term.size} terms (rows {first}{', …' if len(bad) > _NAMED else ''})"
    return f"  - {name!r}: {len(bad)}{where if term.ndim else ' term'} is {kinds}"
