"""How the rows of a fit come in batches: what a user says, and what a fit makes of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from taut.arguments import as_flag, as_positive, check_mapping
from taut.batches import AbstractFeed, LazyFeed, Part, parts_of
from taut.engine import Devices
from taut.errors import ArgumentError
from taut.rows import AbstractRows, Partition
from taut.target.target import Target


@dataclass(frozen=True)
class Batching:
    """The arguments of a fit that concern rows; see `taut.ADVI.fit`.

    Parameters
    ----------
    batch_size
        Rows of a batch at most; `None` for all rows.
    rows
        Which arrays have rows, and along which axis, or where the rows are read from.
    shuffle
        Whether each epoch has an order of its own.
    replace
        Whether rows are drawn with replacement, without epochs.
    more_replacements
        What takes the place of variables of the model in each step.
    require_total_size
        Whether a variable observed by a `pymc.Minibatch` has to have a ``total_size``.
    devices
        Over which rows are spread; `None` for the one that JAX takes by default.
    groups
        The data that tell the group of each row, where batches are of whole groups.

    Raises
    ------
    ArgumentError
        The arguments make no sense together.
    """

    batch_size: int | None = None
    rows: Mapping[str, int] | AbstractRows | None = None
    shuffle: bool = True
    replace: bool = False
    more_replacements: Mapping[Any, Any] = field(default_factory=dict)
    require_total_size: bool = True
    devices: Devices | None = None
    groups: str | None = None

    def __post_init__(self) -> None:
        if self.batch_size is not None:
            as_positive("batch_size, the rows of a batch,", self.batch_size)
        for name in ("shuffle", "replace", "require_total_size"):
            as_flag(name, getattr(self, name))
        check_mapping("more_replacements", self.more_replacements, "{full_data: minibatch}")
        if self.rows is not None and not isinstance(self.rows, Mapping | AbstractRows):
            raise ArgumentError(
                'rows must map names to axes, such as {"X": 0, "y": 0}, or be a source of rows '
                f"such as taut.ParquetRows, got {self.rows!r} ({type(self.rows).__name__})."
            )
        if isinstance(self.rows, Mapping) and not self.rows:
            raise ArgumentError("rows names no data; leave it out, and they are found.")
        if not isinstance(self.groups, str | None):
            raise ArgumentError(
                "groups must be the name of the data that tell the group of each row, such as 'g' "
                f"for a[g] with g = pm.Data('g', ...), got {self.groups!r}."
            )
        is_batched = self.batch_size is not None or self.groups is not None
        if self.rows is not None and not is_batched and self.devices is None:
            raise ArgumentError("rows says which rows are batched; say how many: batch_size=500.")
        if self.source is not None and self.replace:
            raise ArgumentError(
                "Rows that are read from a source come in epochs; replace=True needs them in "
                "memory."
            )
        if self.more_replacements and self.batch_size is not None:
            raise ArgumentError(
                "more_replacements and batch_size are two ways to batch a model; give one of them."
            )
        if self.devices is not None:
            self._check_devices()

    def _check_devices(self) -> None:
        """Refuse what has no effect on several devices."""
        unused = ["replace"] * self.replace + ["more_replacements"] * bool(self.more_replacements)
        if unused:
            raise ArgumentError(
                f"{unused[0]} draws rows that may be on any device, and devices spreads epochs of "
                f"rows: give batch_size without {unused[0]}, or leave devices out."
            )

    @property
    def source(self) -> AbstractRows | None:
        """Where rows are read from, if they are not the model's own."""
        return self.rows if isinstance(self.rows, AbstractRows) else None


@dataclass(frozen=True, eq=False)
class StepData:
    """What the steps of a fit read.

    Parameters
    ----------
    target
        The density, of a batch.
    feed
        Brings the batches.
    scale
        Rows over batch rows: the largest, where variables have different ones; 1 for all rows.
    streamed
        Rows that are not the model's own.
    spread
        Makes the density of all rows, where these are spread over devices.
    """

    target: Target
    feed: AbstractFeed
    scale: float = 1.0
    streamed: "StreamedRows | None" = None
    spread: Callable[[], Target] | None = None

    def after_steps(self) -> "StepData":
        """Return what is asked for after the steps, which holds no thread that reads ahead."""
        return self if self.streamed is None else replace(self, feed=LazyFeed(self.streamed.feed))


@dataclass(frozen=True, eq=False)
class StreamedRows:
    """Rows that are not the model's own, for what is asked of all of them after a fit.

    Parameters
    ----------
    target
        The density, of a batch.
    partition
        How an epoch is cut.
    feed
        Begins a feed of the rows in their order.
    factors
        Gives the log likelihood of each row, as a function of a flat vector, other data and rows.
    """

    target: Target
    partition: Partition
    feed: Callable[[], AbstractFeed]
    factors: Callable[[], Any]

    def parts(self) -> Iterator[Part]:
        """Read all rows once."""
        return parts_of(self.feed(), self.partition.batches)
