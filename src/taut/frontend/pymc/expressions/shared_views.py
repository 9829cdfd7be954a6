"""PyTensor's view of an approximation: shared variables that follow its parameters."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, final

import numpy as np
import pytensor
from pytensor.tensor.sharedvar import TensorSharedVariable

# Takes a parameter's name and new value.
Write = Callable[[str, Any], None]


def constant(value: float) -> Any:
    """Return a number as a PyTensor scalar."""
    return pytensor.tensor.constant(value)


@final
class SharedView(TensorSharedVariable):
    """A shared variable that hands on what is written to it."""

    write: Write | None = None

    def set_value(self, new_value: Any, borrow: bool = False) -> None:
        """Write a parameter of the approximation, for all that reads it from now on.

        Raises
        ------
        ArgumentError
            It is no parameter, or the value does not fit.
        """
        if self.write is None or self.name is None:
            self.show(new_value)
        else:
            self.write(self.name, new_value)

    def show(self, value: Any) -> None:
        """Hold a value, and tell nobody."""
        TensorSharedVariable.set_value(self, value)


class Views:
    """Shared variables made on demand, and refreshed whenever the parameters change.

    What is written to them goes to the approximation: at once by ``set_value``, and by the next
    `written` where a PyTensor function did it, by its ``updates``.

    Parameters
    ----------
    read
        Gives the present values of some names.
    write
        Takes a name and its new value.
    """

    def __init__(
        self, read: Callable[[Iterable[str]], Mapping[str, np.ndarray]], write: Write
    ) -> None:
        self._read, self._write = read, write
        self._views: dict[str, SharedView] = {}
        # Bytes, which are compared at every look much quicker than arrays.
        self._shown: dict[str, bytes] = {}

    def __getitem__(self, name: str) -> Any:
        """Return the view of a name, always the same one."""
        if name not in self._views:
            value = np.array(self._read([name])[name])
            kind = pytensor.tensor.TensorType(value.dtype, shape=value.shape)
            view = SharedView(kind, value=value, name=name, strict=False)
            view.write = self._write
            self._views[name], self._shown[name] = view, value.tobytes()
        return self._views[name]

    def refresh(self) -> None:
        """Show the present values."""
        for name, value in self._read(self._views).items():
            value = np.array(value)
            self._views[name].container.storage[0] = value
            self._shown[name] = value.tobytes()

    def written(self) -> dict[str, np.ndarray]:
        """Return what was written to them since, once."""
        new = {}
        for name, view in self._views.items():
            value = view.get_value(borrow=True)
            if value.tobytes() != self._shown[name]:
                new[name], self._shown[name] = np.array(value), value.tobytes()
        return new
