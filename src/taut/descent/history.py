"""The losses of a fit."""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class History:
    """Losses of steps, appended a chunk at a time."""

    _values: np.ndarray = field(default_factory=lambda: np.empty(0))
    _length: int = 0

    def __len__(self) -> int:
        return self._length

    def append(self, losses: np.ndarray) -> None:
        """Add the losses of a chunk; the array doubles, so many short chunks stay cheap."""
        length = self._length + len(losses)
        if length > len(self._values):
            self._values = np.resize(self._values, max(length, 2 * len(self._values)))
        self._values[self._length : length] = losses
        self._length = length

    def since(self, first: int) -> np.ndarray:
        """Return a read-only view of the losses from step `first` on."""
        view = self._values[first : self._length]
        view.flags.writeable = False
        return view
