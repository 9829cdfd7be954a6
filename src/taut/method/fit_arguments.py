"""What the `fit` of methods is given: one record for those that take steps, one for the others."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, final

from taut.arguments import as_flag
from taut.engine import AnyDevices, as_devices
from taut.rows import AbstractRows
from taut.target import Batching


@final
@dataclass(frozen=True, kw_only=True)
class StepArguments:
    """What `taut.ADVI.fit` and its like are given; it says more of each.

    Parameters
    ----------
    n
        Steps, or the most of them.
    score
        Whether a history is kept.
    callbacks
        What looks on.
    progressbar
        Whether one is shown.
    progressbar_theme
        How it looks.
    obj_n_mc
        Draws for one gradient.
    obj_optimizer
        What makes a step of a gradient.
    total_grad_norm_constraint
        Bound of the gradient's norm.
    step_size
        ``"auto"`` to have it found.
    backend
        ``"jax"``, or `None` for the same.
    include_transformed
        Whether draws come with the unconstrained variables.
    batch_size
        Rows that a step reads.
    rows
        Which data have rows, or where they are read from.
    shuffle
        Whether epochs have an order of their own.
    replace
        Whether rows are drawn with replacement.
    more_replacements
        What takes the place of variables in each step.
    require_total_size
        Whether a minibatch has to say of how many rows it is.
    checkpoint
        The folder that keeps the fit while it is under way.
    every
        Steps, or seconds such as ``"60s"``, between two states that are kept.
    devices
        Over which rows are spread.
    """

    n: int | None = None
    score: bool | None = None
    callbacks: Iterable[Callable[..., Any]] | None = None
    progressbar: bool = True
    progressbar_theme: Any = None
    obj_n_mc: int | None = None
    obj_optimizer: Any = None
    total_grad_norm_constraint: float | None = None
    step_size: Literal["auto"] | None = None
    backend: str | None = None
    include_transformed: bool = False
    batch_size: int | None = None
    rows: Mapping[str, int] | AbstractRows | None = None
    shuffle: bool = True
    replace: bool = False
    more_replacements: Mapping[Any, Any] | None = None
    require_total_size: bool = True
    checkpoint: str | os.PathLike[str] | None = None
    every: int | str | None = None
    devices: AnyDevices = None

    @property
    def batching(self) -> Batching:
        """Those that concern rows, checked."""
        return Batching(
            self.batch_size, self.rows, self.shuffle, self.replace, self.more_replacements or {},
            self.require_total_size, as_devices(self.devices),
        )  # fmt: skip


@final
@dataclass(frozen=True, kw_only=True)
class DirectArguments:
    """What `taut.Auto.fit` and its like are given; it says more of each.

    Parameters
    ----------
    n
        The most iterations.
    progressbar
        Whether one is shown.
    progressbar_theme
        How it looks.
    include_transformed
        Whether draws come with the unconstrained variables.
    max_seconds
        When to end in any case.
    batch_size
        Rows of the batches of a first look, or of those read from a source.
    rows
        Which data have rows, or where they are read from.
    groups
        The data that tell the group of each row, for batches of whole groups.
    shuffle
        Whether a first look is at rows in random order.
    require_total_size
        Whether a minibatch has to say of how many rows it is.
    checkpoint
        The folder that keeps the fit while it is under way.
    every
        Steps, or seconds such as ``"60s"``, between two states that are kept.
    devices
        Over which rows are spread.
    """

    n: int | None = None
    progressbar: bool = True
    progressbar_theme: Any = None
    include_transformed: bool = False
    max_seconds: float | None = None
    batch_size: int | None = None
    rows: Mapping[str, int] | AbstractRows | None = None
    groups: str | None = None
    shuffle: bool = True
    require_total_size: bool = True
    checkpoint: str | os.PathLike[str] | None = None
    every: int | str | None = None
    devices: AnyDevices = None

    @property
    def batching(self) -> Batching:
        """Those that concern rows, checked."""
        return Batching(
            self.batch_size,
            self.rows,
            shuffle=self.shuffle,
            require_total_size=self.require_total_size,
            groups=self.groups,
            devices=as_devices(self.devices),
        )


AnyArguments = StepArguments | DirectArguments


def given(**values: Any) -> dict[str, Any]:
    """Keep the arguments of a fit, of either kind, that are not their defaults.

    Raises
    ------
    ArgumentError
        A flag is none.
    """
    both = (*fields(StepArguments), *fields(DirectArguments))
    defaults = {field.name: field.default for field in both}
    for name, value in values.items():
        if isinstance(defaults[name], bool):
            values[name] = as_flag(name, value)
    return {name: value for name, value in values.items() if value is not defaults[name]}


def not_taken(kind: type[AnyArguments], names: Iterable[str]) -> list[str]:
    """Return those names that one kind of fit has no argument of."""
    taken = {field.name for field in fields(kind)}
    return [name for name in names if name not in taken]
