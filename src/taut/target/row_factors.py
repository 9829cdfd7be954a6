"""The terms of a density as a function of its rows, of any number of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from taut.target.space import Space


@final
@dataclass(frozen=True)
class RowColumn:
    """An array that is read row by row.

    Parameters
    ----------
    name
        Of the data; those of an observed variable may have its name too, which is `alias`.
    dtype
        In which the model reads it.
    shape
        Of one row.
    alias
        Another name, or none.
    """

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    alias: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All names it is known by."""
        return tuple(one for one in (self.name, self.alias) if one)


@final
@dataclass(frozen=True, eq=False)
class GroupVariables:
    """Variables in their own space that are made of latents of groups, and need no rows.

    Parameters
    ----------
    function
        ``function(*values, *data)``: their values.
    data
        Arrays that it reads.
    names, dims
        Of the variables.
    """

    function: Callable[..., Any]
    data: tuple[Any, ...]
    names: tuple[str, ...]
    dims: tuple[tuple[str | None, ...], ...]


@final
@dataclass(frozen=True, eq=False)
class RowFactors:
    r"""The terms that a log density sums, those of rows apart from the others.

    .. math:: \log p(y, z) = \sum_i f_i(z) + \sum_r \sum_j g_j(z, y_r)

    Parameters
    ----------
    function
        ``function(*values, *data, *rows)``: the terms without rows, and then those of rows.
    space
        The unknowns, with the shapes that the model has.
    names
        Of the variables that the terms without rows belong to.
    data
        Arrays without rows.
    columns
        What is read row by row.
    own
        The rows that the model has.
    axes
        For each term of rows its axis of these.
    variables
        Variables in their own space that are made of latents.
    """

    function: Callable[..., Any]
    space: Space
    names: tuple[str, ...]
    data: tuple[Any, ...]
    columns: tuple[RowColumn, ...]
    own: tuple[np.ndarray, ...]
    axes: tuple[int, ...]
    variables: GroupVariables | None = None

    @property
    def apart(self) -> int:
        """How many terms have no rows."""
        return len(self.names)
