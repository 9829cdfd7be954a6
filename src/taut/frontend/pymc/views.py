"""PyTensor's view of an approximation: shared variables that follow its parameters."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytensor
from pytensor.compile.sharedvalue import SharedVariable


class Views:
    """Shared variables made on demand, and refreshed whenever the parameters change.

    They can be read in any PyTensor expression. Writing to them changes nothing of the
    approximation, whose parameters live elsewhere.
    """

    def __init__(self) -> None:
        self._views: dict[str, tuple[SharedVariable, Callable[[], np.ndarray]]] = {}

    def view(self, name: str, read: Callable[[], np.ndarray]) -> Any:
        """Give the view of what `read` returns, always the same one for a name."""
        if name not in self._views:
            value = np.array(read())
            self._views[name] = pytensor.shared(value, name, shape=value.shape), read
        return self._views[name][0]

    def refresh(self) -> None:
        """Show the present values."""
        for view, read in self._views.values():
            view.set_value(np.array(read()), borrow=True)

    def views(self, values: Mapping[str, Callable[[], np.ndarray]]) -> dict[str, Any]:
        """Give the views of several values."""
        return {name: self.view(name, read) for name, read in values.items()}
