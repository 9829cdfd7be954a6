"""What a fit has reached."""

from dataclasses import dataclass, field, replace
from typing import final

from taut.descent import Stand
from taut.family import AbstractFamily
from taut.marginal import BatchedMarginal
from taut.rows import AbstractRows
from taut.target import Batching, StepData, StreamedRows, Target


@final
@dataclass(frozen=True)
class State:
    """What draws, moments, densities and expressions are computed from.

    Parameters
    ----------
    family
        The density, with its parameters.
    target
        The log density that is approximated.
    stepping
        What the steps of the last fit read, if it took any.
    batching
        How a user said that rows come in batches.
    stand
        Where the fit under way stands, if this is one of many states that are looked at in turn.
    grouped
        The density that was fitted, where its rows come in batches of groups.
    """

    family: AbstractFamily
    target: Target
    stepping: StepData | None = None
    batching: Batching = field(default_factory=Batching)
    stand: Stand | None = None
    grouped: BatchedMarginal | None = None

    def at(self, family: AbstractFamily, stand: Stand | None = None) -> "State":
        """Return the state with other parameters."""
        return replace(self, family=family, stand=stand)

    @property
    def streamed(self) -> StreamedRows | None:
        """Rows that were read from a source, if the last fit read them."""
        return None if self.stepping is None else self.stepping.streamed

    @property
    def source_of_rows(self) -> AbstractRows | None:
        """The source that these were read from."""
        return None if self.streamed is None else self.batching.source

    @property
    def rows(self) -> int:
        """Rows that one evaluation of the density reads."""
        if self.streamed is not None:
            return self.streamed.partition.rows
        return self.target.rows_of(self.target.whole)
