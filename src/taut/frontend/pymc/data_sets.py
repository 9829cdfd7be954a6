"""Data sets of a PyMC model: lifted once, filled up to a few lengths, each a source of its own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, final

import jax
import numpy as np
from pytensor.compile.sharedvalue import SharedVariable

from taut.batches import AllRows
from taut.errors import DataSetError, ModelError
from taut.frontend import AbstractDataSets, AbstractSource, nearest
from taut.frontend.pymc.lift import Constrain, Terms, conditionals_of, on_device
from taut.frontend.pymc.one_data_set import Given, OneDataSet
from taut.frontend.pymc.rows.cast import cast, check_built_in, other_shape, rows_of
from taut.frontend.pymc.rows.find import data_names, data_of
from taut.frontend.pymc.rows.padded_model import PaddedModel
from taut.target import Labels, Target

# Rows of the shortest of the lengths to which data sets are filled up; each other is twice the one
# before.
_SHORTEST = 128
# Points at which filled-up rows are compared with the model as it is written, how far these are
# from the start, and how near they come where the density is not finite.
_POINTS, _REACH, _TRIES = 2, 0.3, 8
_TOLERANCE = 1e-6


@final
class PyMCDataSets(AbstractDataSets):
    """Data sets of a model of PyMC.

    Parameters
    ----------
    source
        The model with its own data.
    model
        The model.
    kept
        What is built of it once.
    told
        Which data have rows, and along which axis; `None` for those that are found.

    Raises
    ------
    ModelError
        The density on rows that are filled up is another.
    """

    def __init__(
        self, source: AbstractSource, model: Any, kept: PaddedModel, told: Mapping[str, int] | None
    ) -> None:
        self._source, self._told, self._base = source, told, source.target()
        self._model, self._padded, self._lifted = model, kept.padded, kept.lifted
        self.reason, self._evaluated = kept.reason, kept.evaluated
        self._variables = data_names(model)
        self.names, self.left_out = frozenset(self._variables), self._padded.left_out
        observed = {str(rv.name) for rv in model.observed_RVs}
        self.whole = tuple(n for n in kept.evaluated.names_without_rows if n in observed)
        self._template = self._target()
        self._check_padding()

    def one(self, values: Mapping[str, Any]) -> OneDataSet:
        given = self._given(values)
        arrays = [_filled(rows, self._base.dtype) for rows in given.rows]
        with self._base.precision():
            places = {self._lifted.data.sources.index(v): a for v, a in given.others.items()}
            data = tuple(
                on_device(places[i]) if i in places else own
                for i, own in enumerate(self._template.data)
            )
            whole = tuple(tuple(map(jax.device_put, group)) for group in arrays)
        target = replace(self._template, data=data, whole=whole)
        return OneDataSet(self._source, self._model, target, self._evaluated, given, self._told)

    def _target(self) -> Target:
        """Make the target with the model's own data."""
        base, lifted, left_out = self._base, self._lifted, self._padded.left_out
        dims = {name: dims for name, dims in base.labels.dims.items() if name not in left_out}
        with base.precision():
            return Target(
                Terms(lifted, base.space),
                base.space,
                lifted.arrays(),
                AllRows(),
                Constrain(lifted, base.space),
                Labels(dims, base.labels.coords),
                base.dtype,
                base.programs,
                factors_matrices=lifted.factors_matrices,
                conditionals=conditionals_of(lifted, base.space),
                circular=base.circular,
            )

    def _given(self, values: Mapping[str, Any]) -> Given:
        """Look up where the values of a data set enter, and cast them."""
        found: dict[Any, tuple[str, Any]] = {}
        for name, value in values.items():
            if name not in self._variables:
                raise DataSetError(
                    f"The data set has {name!r}, which is no data of the model"
                    f"{nearest(str(name), self._variables)}. There are: "
                    f"{', '.join(self._variables)}."
                )
            variable = self._variables[name]
            if variable in found:
                raise DataSetError(f"{name!r} and {found[variable][0]!r} are the same data.")
            found[variable] = name, value
        groups = self._padded.rows.groups
        rows = tuple(rows_of(group, found, self.reason) for group in groups)
        with_rows = {array.variable for group in groups for array in group.arrays}
        others = {v: pair for v, pair in found.items() if v not in with_rows}
        return Given(dict(values), rows, dict(self._others(others)))

    def _others(self, found: Mapping[Any, tuple[str, Any]]) -> Iterator[tuple[Any, np.ndarray]]:
        """Cast data without rows, which keep the model's shape."""
        built_in = {variable for variable, _ in self._lifted.data.frozen}
        for variable, (name, value) in found.items():
            own = np.asarray(data_of(variable))
            array = cast(name, value, own.dtype)
            if array.shape != own.shape:
                raise DataSetError(other_shape(name, array, own, self.reason))
            if variable in self._lifted.data.sources:
                yield variable, array
            elif variable in built_in or not isinstance(variable, SharedVariable):
                check_built_in(name, array, own)

    def _check_padding(self) -> None:
        """Compare rows that are filled up with the model as it is written, on its own data."""
        own, space = self._given({}), self._base.space
        start, random = self._source.start(None, 0), np.random.default_rng(0)
        filled = tuple(tuple(np.concatenate([a, a[-1:]]) for a in group) for group in own.rows)
        for reach in _REACH * 0.5 ** np.arange(_TRIES):
            points = start + reach * random.uniform(-1.0, 1.0, (_POINTS, space.dim))
            for known, z in ((self._source.log_density(z), z) for z in points):
                if known is None or not np.isfinite(known[0]):
                    break
                terms = self._evaluated(list(space.unravel(z).values()), {}, filled)
                if not abs(self._summed(terms) - known[0]) <= _TOLERANCE * (1.0 + known[1]):
                    raise ModelError(
                        f"With a row more that does not count the log density is "
                        f"{self._summed(terms):.10g}, and without it {known[0]:.10g}: the model "
                        "does not take its rows one by one, so that data sets of different "
                        "lengths can not be filled up. Say which data have rows, "
                        'rows={"name": 0}, or fit data sets with taut.fit one by one.'
                    )
            else:
                return

    def _summed(self, terms: Sequence[np.ndarray]) -> float:
        """Add terms up, but for the last row."""
        first = self._evaluated.without_rows
        cut = [
            np.delete(term, -1, axis) if term.ndim > axis else term
            for term, axis in zip(terms[first:], self._evaluated.axes, strict=True)
        ]
        return float(sum(term.sum() for term in (*terms[:first], *cut)))


def _filled(rows: Sequence[np.ndarray], dtype: str) -> tuple[np.ndarray, ...]:
    """Fill rows up by the last one, to a length that many data sets share, and add weights."""
    count = len(rows[0])
    length = max(_SHORTEST, 1 << (count - 1).bit_length())
    numbers = np.minimum(np.arange(length), count - 1)
    return *(array[numbers] for array in rows), (np.arange(length) < count).astype(dtype)
