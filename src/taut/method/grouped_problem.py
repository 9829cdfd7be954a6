"""A model whose latents come in batches of groups, and the approximation of its globals."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self, final

import numpy as np

from taut.approximation import Approximation, Group, check_agreement
from taut.engine import building
from taut.errors import ArgumentError
from taut.marginal import BatchedMarginal, GroupedModel, GroupedRows, read_groups
from taut.rows import AbstractRows
from taut.target import Batching


@final
@dataclass(frozen=True, eq=False)
class GroupedProblem:
    """A model on batches of groups.

    Parameters
    ----------
    marginal
        The density of the globals.
    globals
        What is fitted: the approximation of the globals alone.
    """

    marginal: BatchedMarginal
    globals: Approximation

    @classmethod
    def of(cls, whole: Approximation, batching: Batching) -> Self:
        """Read the groups off a model, and compare what is compiled with what PyTensor says.

        Parameters
        ----------
        whole
            Where a fit of all unknowns would begin.
        batching
            The arguments of the fit.

        Raises
        ------
        ModelError
            The model has no latents of groups, or JAX evaluates it wrongly.
        ArgumentError
            Rows do not fit the model, or no data tell the group of a row.
        """
        random, rows = np.random.default_rng(whole.random_seed), _told(whole, batching)
        with whole.target.precision():
            begin = np.asarray(whole.family.mean(), float)
        check_agreement(whole, begin)
        with building(whole.timing, "lift"):
            model = read_groups(whole.source, rows, batching.groups, begin, random, whole.timing)
            alone = whole.source.globals_alone(list(model.latents))
            start = dict(zip(*_globals(whole, model), strict=True))
        one = Group(None, "mf", start=start)
        globals_ = Approximation([one], model=alone, random_seed=whole.random_seed)
        source = GroupedRows(model, batching)
        marginal = BatchedMarginal(model, source, whole.target, begin, globals_.timing)
        globals_.publish(replace(globals_.state, grouped=marginal))
        return cls(marginal, globals_)


def _told(whole: Approximation, batching: Batching) -> Mapping[str, int] | None:
    """Say which data have rows: those of a source, which has to have all that the model reads."""
    told = batching.rows
    if not isinstance(told, AbstractRows):
        return told
    for column in whole.source.row_factors(None, {}).columns:
        if column.names and not any(name in told.columns for name in column.names):
            keys = ", and it tells the group of a row" if batching.groups in column.names else ""
            raise ArgumentError(
                f"The model reads {column.name!r} row by row{keys}, and rows has no such column: "
                f"there are {', '.join(map(repr, told.columns))}."
            )
    return dict.fromkeys(told.columns, 0)


def _globals(whole: Approximation, model: GroupedModel) -> tuple[list[str], list[np.ndarray]]:
    """Return the names of the globals, and where they begin, in the unconstrained space."""
    with whole.target.precision():
        values = whole.target.space.unravel(np.asarray(whole.family.mean(), float))
    kept = [name for name in values if name not in model.latents]
    return kept, [values[name] for name in kept]
