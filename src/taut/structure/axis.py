"""One axis of a variable, along which it may have a level for each group."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from taut.target import Slot

Places = Int[np.ndarray, "levels columns"]


@dataclass(frozen=True)
class Axis:
    """An axis of a variable.

    Parameters
    ----------
    slot
        The variable.
    number
        Of the axis.
    """

    slot: Slot
    number: int

    @property
    def levels(self) -> int:
        """How long it is."""
        return self.slot.shape[self.number]

    @property
    def places(self) -> Places:
        """Where the elements of each level are in the flat vector, one level a row."""
        flat = self.slot.start + np.arange(self.slot.size).reshape(self.slot.shape)
        return np.moveaxis(flat, self.number, 0).reshape(self.levels, -1)


def axes_of(slot: Slot, shortest: int) -> list[Axis]:
    """List the axes of a variable that are long enough, the longest first."""
    long = [i for i, length in enumerate(slot.shape) if length >= shortest]
    return [Axis(slot, i) for i in sorted(long, key=lambda i: -slot.shape[i])]
