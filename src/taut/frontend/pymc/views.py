"""PyTensor's view of an approximation: shared variables that follow its parameters."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pytensor
from pytensor.compile.sharedvalue import SharedVariable


def constant(value: float) -> Any:
    """Give a number as a PyTensor scalar."""
    return pytensor.tensor.constant(value)


class Views:
    """Shared variables made on demand, and refreshed whenever the parameters change.

    They can be read in any PyTensor expression. Writing to them changes nothing of the
    approximation, whose parameters live elsewhere.

    Parameters
    ----------
    read
        Gives the present values of some names.
    """

    def __init__(self, read: Callable[[Iterable[str]], Mapping[str, np.ndarray]]) -> None:
        self._read = read
        self._views: dict[str, SharedVariable] = {}

    def __getitem__(self, name: str) -> Any:
        """Give the view of a name, always the same one."""
        if name not in self._views:
            value = np.array(self._read([name])[name])
            self._views[name] = pytensor.shared(value, name, shape=value.shape)
        return self._views[name]

    def refresh(self) -> None:
        """Show the present values."""
        for name, value in self._read(self._views).items():
            self._views[name].set_value(value)
