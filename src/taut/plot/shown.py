"""What pictures ask of the things they show."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float

from taut.errors import ArgumentError
from taut.target import Space


class Shown(Protocol):
    """A fit, as pictures see it: an `Approximation`."""

    @property
    def report(self) -> Any:
        """What is known of its quality."""
        ...

    @property
    def hist(self) -> Float[np.ndarray, " steps"]:
        """The loss of each step."""
        ...


class Reported(Protocol):
    """A report on a fit, as pictures see it: a `taut.diagnose.Report`."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the elements of the unconstrained vector."""
        ...

    @property
    def check(self) -> Any:
        """What short chains shifted; `None` where none ran."""
        ...

    @property
    def khats(self) -> Mapping[str, Any]:
        """Of the mean of each element."""
        ...

    @property
    def journal(self) -> Any:
        """What the fit did, stage by stage."""
        ...

    @property
    def verdict(self) -> Any:
        """Whether to trust it."""
        ...

    @property
    def shift_bound(self) -> float:
        """How far a shift may be from 0."""
        ...


def report_of(fit: Shown | Reported) -> Any:
    """Return the report of a fit, or what is one already."""
    return fit if hasattr(fit, "verdict") else fit.report  # type: ignore[union-attr]


def chosen(names: Sequence[str], wanted: str | Sequence[str] | None) -> list[int]:
    """Find elements by the names of variables, or by their own.

    Raises
    ------
    ArgumentError
        A name is not there.
    """
    if wanted is None:
        return list(range(len(names)))
    wanted = [wanted] if isinstance(wanted, str) else list(wanted)
    variables = [name.partition("[")[0] for name in names]
    for one in wanted:
        if one not in names and one not in variables:
            raise ArgumentError(
                f"var_names holds {one!r}; there are {', '.join(dict.fromkeys(variables))}, in "
                "the unconstrained space."
            )
    return [i for i, name in enumerate(names) if name in wanted or variables[i] in wanted]


def element_names(space: Space) -> tuple[str, ...]:
    """Name the elements of the unconstrained vector."""
    return tuple(space.element_name(i) for i in range(space.dim))
