"""The terms of a density on the rows of one data set, on the host, without a compiler."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pytensor.graph.basic import Constant

from taut.frontend.pymc.graph import lift_data, value_of
from taut.frontend.pymc.lift import interpreted, interpreted_function
from taut.frontend.pymc.rows.row_graph import RowGraph

Arrays = Sequence[np.ndarray]


class EvaluatedRows:
    """Evaluates each term of a model's density on data that are not the model's own.

    Parameters
    ----------
    model
        The model.
    rows
        Its density on batches.
    """

    def __init__(self, model: Any, rows: RowGraph) -> None:
        of_rows = [term for group in rows.groups for term in group.terms]
        others = [*model.observed_RVs, *model.potentials]
        rest = [term for term in others if term not in of_rows]
        self.names = [str(term.name) for term in (*model.free_RVs, *rest, *of_rows)]
        self.without_rows = len(self.names) - len(of_rows)
        # The axis of rows of each term that has one.
        self.axes = [group.rows.observed.get(t, 0) for group in rows.groups for t in group.terms]
        factors = [factor for group in rows.groups for factor in group.factors]
        self._data = lift_data([*rows.prior, *rows.rest, *factors])
        inputs = [one for group in rows.groups for one in group.inputs]
        self._function = interpreted_function(
            [*rows.values, *self._data.inputs, *inputs], self._data.outputs
        )

    @property
    def names_without_rows(self) -> list[str]:
        """Names of the terms that have no rows."""
        return self.names[: self.without_rows]

    def __call__(
        self, values: Arrays, others: Mapping[Any, np.ndarray], rows: Sequence[Arrays]
    ) -> list[np.ndarray]:
        """Evaluate the terms, not summed.

        Parameters
        ----------
        values
            Of the value variables.
        others
            Data without rows that are not the model's own, by their variables.
        rows
            The arrays of each group of rows.
        """
        data = [others.get(source, _own(source)) for source in self._data.sources]
        flat = [array for group in rows for array in group]
        with interpreted(), np.errstate(all="ignore"):
            return [np.asarray(one, float) for one in self._function(*values, *data, *flat)]


def _own(source: Any) -> Any:
    return source.data if isinstance(source, Constant) else value_of(source)
