"""What is built of a model for many data sets, once."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import jax
import numpy as np
import pytensor

from taut.errors import ModelError
from taut.frontend.pymc.graph import ModelGraph, is_sparse
from taut.frontend.pymc.lift import LiftedModel
from taut.frontend.pymc.lift.lift import lift
from taut.frontend.pymc.rows.evaluated_rows import EvaluatedRows
from taut.frontend.pymc.rows.find import Axes, Rows, data_names, data_of, find_rows, told_axes
from taut.frontend.pymc.rows.padded import PaddedGraph, read_padded
from taut.frontend.pymc.rows.row_graph import RowGroup
from taut.target import Target


@final
@dataclass(frozen=True, eq=False)
class PaddedModel:
    """What is built of a model for its data sets, once.

    Parameters
    ----------
    padded
        Its graph on rows that are filled up.
    lifted
        The same as functions of JAX.
    evaluated
        Evaluates its terms on the host.
    reason
        Why data sets have to have the model's own number of rows, if they do.
    """

    padded: PaddedGraph
    lifted: LiftedModel
    evaluated: EvaluatedRows
    reason: str | None

    @classmethod
    def of(
        cls, model: Any, whole: ModelGraph, base: Target, told: Mapping[str, int] | None
    ) -> "PaddedModel":
        """Build it.

        Parameters
        ----------
        model
            The model.
        whole, base
            Its graphs, and its target, with its own data.
        told
            Which data have rows, as the user said.

        Raises
        ------
        ModelError
            Rows can not be filled up, or JAX can not evaluate the density.
        """
        axes, reason = None if told is None else told_axes(model, told), None
        try:
            padded = _padded(model, whole, find_rows(model, 0, axes), axes)
        except ModelError as error:
            if told is not None:
                raise
            # Data sets of the model's own shapes can be fitted all the same.
            reason, padded = str(error), _padded(model, whole, [], None)
        lifted = _lifted(model, padded, base)
        return cls(padded, lifted, EvaluatedRows(model, padded.rows), reason)


def kept_by(model: Any, told: Mapping[str, int] | None) -> Hashable:
    """Describe what decides a `PaddedModel`: the shapes of the model's own data."""
    shapes = tuple((name, np.shape(data_of(v))) for name, v in data_names(model).items())
    return shapes, None if told is None else tuple(told.items())


def _padded(model: Any, whole: ModelGraph, found: Sequence[Rows], axes: Axes | None) -> PaddedGraph:
    padded = read_padded(model, whole, found, axes)
    sparse = [a.name for g in padded.rows.groups for a in g.arrays if is_sparse(a.variable)]
    if sparse:
        raise ModelError(
            f"{sparse[0]!r} is a sparse matrix, which can not be filled up. Declare it as a dense "
            "array in the model."
        )
    return padded


def _lifted(model: Any, padded: PaddedGraph, base: Target) -> LiftedModel:
    kinds = [one for group in padded.rows.groups for one in _kinds(group, base.dtype)]
    with jax.enable_x64(pytensor.config.floatX == "float64"):
        lifted = lift(model, padded.graph, [slot.shape for slot in base.space], kinds)
    if not lifted.reads_inputs:
        raise ModelError(
            "Many data sets can be fitted by one program only where JAX evaluates the model. Fit "
            "them with taut.fit one by one."
        )
    return lifted


def _kinds(group: RowGroup, dtype: str) -> Iterator[jax.ShapeDtypeStruct]:
    """Describe two rows, and their weights."""
    for array in group.arrays:
        kind = jax.dtypes.canonicalize_dtype(array.kind.dtype)
        yield jax.ShapeDtypeStruct((2, *array.values().shape[1:]), kind)
    yield jax.ShapeDtypeStruct((2,), dtype)
