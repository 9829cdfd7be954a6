"""A model whose latents come in batches of groups, and the approximation of its globals."""

from dataclasses import dataclass
from typing import Self, final

import numpy as np

from taut.approximation import Approximation, Group, check_agreement
from taut.engine import building
from taut.marginal import GroupedModel, GroupedRows, read_groups
from taut.rows import AbstractRows
from taut.target import Batching, Target


@final
@dataclass(frozen=True, eq=False)
class GroupedProblem:
    """A model on batches of groups.

    Parameters
    ----------
    target
        Of the model as it is written, with its own groups.
    begin
        Its unknowns, where searches begin.
    model
        The same on batches of any groups.
    rows
        Where these come from.
    globals
        What is fitted: the approximation of the globals alone.
    """

    target: Target
    begin: np.ndarray
    model: GroupedModel
    rows: GroupedRows
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
        told, random = batching.rows, np.random.default_rng(whole.random_seed)
        rows = dict.fromkeys(told.columns, 0) if isinstance(told, AbstractRows) else told
        with whole.target.precision():
            begin = np.asarray(whole.family.mean(), float)
        check_agreement(whole, begin)
        with building(whole.timing, "lift"):
            model = read_groups(whole.source, rows, batching.groups, begin, random, whole.timing)
            alone = whole.source.globals_alone(list(model.latents))
            start = dict(zip(*_globals(whole, model), strict=True))
        one = Group(None, "mf", start=start)
        globals_ = Approximation([one], model=alone, random_seed=whole.random_seed)
        return cls(whole.target, begin, model, GroupedRows(model, batching), globals_)


def _globals(whole: Approximation, model: GroupedModel) -> tuple[list[str], list[np.ndarray]]:
    """Return the names of the globals, and where they begin, in the unconstrained space."""
    with whole.target.precision():
        values = whole.target.space.unravel(np.asarray(whole.family.mean(), float))
    kept = [name for name in values if name not in model.latents]
    return kept, [values[name] for name in kept]
