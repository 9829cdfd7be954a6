"""Which terms of a model's log density are not finite at a point, and at which rows."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from pytensor.tensor import as_tensor

from taut.frontend import NOT_EVALUATED
from taut.frontend.pymc.graph import find_minibatches, many_as_one
from taut.frontend.pymc.lift import as_written, interpreted, interpreted_function
from taut.frontend.pymc.unfit_data import unfit_data

# Rows and values a message names before it stops counting them out.
_NAMED = 5


class Blame:
    """Evaluates each term of a model's density on the host, without compiling for the device.

    The model is an argument of each call, so that this can be kept without keeping the model.

    Parameters
    ----------
    factors
        Their graphs: of free and observed variables and potentials, all rows.
    """

    def __init__(self, factors: Sequence[Any]) -> None:
        self._graph, self._stacked = factors, many_as_one(factors)
        self._evaluators: dict[bool, Callable[..., Any]] = {}

    def __call__(self, model: Any, point: Mapping[str, Any]) -> str | None:
        """Describe the terms that are not finite at a point; `None` if all are."""
        variables = [*model.free_RVs, *model.observed_RVs, *model.potentials]
        if self._is_finite_together(model, point):
            return None
        try:
            factors = self.factors(model, point)
        except (IndexError, ValueError) as error:
            # An index or a shape that JAX would let pass, and compute something else with.
            return f"{NOT_EVALUATED}: {str(error).splitlines()[0]}"
        lines = [
            f"  - {_describe(model, variable, factor, graph, point)}"
            for variable, factor, graph in zip(variables, factors, self._graph, strict=True)
            if not np.isfinite(factor).all()
        ]
        return "\n".join(lines) or None

    def _is_finite_together(self, model: Any, point: Mapping[str, Any]) -> bool:
        """Check terms of one form as one, which is quicker to prepare where they are many."""
        if len(self._stacked) == len(self._graph):
            return False
        # Whatever fails here is told by the terms alone.
        with suppress(Exception), np.errstate(all="ignore"), interpreted():
            with model:
                evaluator = interpreted_function(model.value_vars, self._stacked, rewrites=False)
            return all(np.isfinite(factor).all() for factor in evaluator(*point.values()))
        return False

    def factors(self, model: Any, point: Mapping[str, Any]) -> list[np.ndarray]:
        """Evaluate the log densities of free and observed variables and potentials, all rows.

        As they are written where that is finite, which is the quickest to prepare; else with
        PyTensor's rewrites, which evaluate more graphs and keep some from overflowing.
        """
        # Whatever fails as it is written is told where the rewrites fail too.
        with suppress(Exception), np.errstate(all="ignore"):
            factors = self._evaluated(model, point, rewrites=False)
            if all(np.isfinite(factor).all() for factor in factors):
                return factors
        with np.errstate(all="ignore"):
            return self._evaluated(model, point, rewrites=True)

    def _evaluated(
        self, model: Any, point: Mapping[str, Any], *, rewrites: bool
    ) -> list[np.ndarray]:
        with interpreted():
            if rewrites not in self._evaluators:
                tensors = [as_tensor(one, allow_xtensor_conversion=True) for one in self._graph]
                # On the context, where PyMC looks for `check_bounds`.
                with model:
                    make = interpreted_function if rewrites else as_written
                    self._evaluators[rewrites] = make(model.value_vars, tensors)
            return [np.asarray(factor) for factor in self._evaluators[rewrites](*point.values())]


def _describe(
    model: Any, variable: Any, factor: np.ndarray, graph: Any, point: Mapping[str, Any]
) -> str:
    bad = np.argwhere(~np.isfinite(factor))
    kinds = ", ".join(sorted({str(factor[tuple(index)]) for index in bad}))
    verb = "are" if len(bad) > 1 else "is"
    terms = f"{len(bad)} of its {factor.size} terms " if factor.ndim else ""
    where = f"{terms}{verb} {kinds}"
    if variable in model.observed_RVs:
        response = model.rvs_to_values[variable]
        other = unfit_data(graph, response, factor)
        rows = _rows(response, factor, bad, only_unfit=bool(other))
        return f"observed variable {variable.name!r}: {where}{rows}{other and f'; {other}'}"
    if variable in model.potentials:
        other = unfit_data(graph, None, factor)
        listed = _listed(bad, "element")
        return f"potential {variable.name!r}: {where}{listed}{other and f'; {other}'}"
    value = model.rvs_to_values[variable].name
    at = np.array2string(np.asarray(point[value]), precision=4, threshold=_NAMED)
    return f"free variable {variable.name!r}: {where}, at {value} = {at}"


def _rows(value: Any, factor: np.ndarray, bad: np.ndarray, *, only_unfit: bool) -> str:
    """List rows and what is observed there; if `only_unfit`, only what is not finite."""
    if not factor.ndim:
        return ""
    if (node := value.owner) is not None and node in find_minibatches([value]):
        value = node.inputs[node.outputs.index(value)]
    data = value.get_value() if hasattr(value, "get_value") else getattr(value, "data", None)
    if data is None or np.shape(data)[: factor.ndim] != factor.shape:
        return _listed(bad, "row")
    if only_unfit and np.isfinite(data[tuple(bad.T)]).all():
        return _listed(bad, "row")
    values = ", ".join(str(data[tuple(index)]) for index in bad[:_NAMED])
    return f"{_listed(bad, 'row')}, where the data are {values}"


def _listed(bad: np.ndarray, noun: str) -> str:
    if not bad.size:
        return ""
    first = [int(i[0]) if len(i) == 1 else tuple(int(j) for j in i) for i in bad[:_NAMED]]
    more = ", …" if len(bad) > _NAMED else ""
    return f" ({noun}{'s' if len(bad) > 1 else ''} {', '.join(map(str, first))}{more})"
