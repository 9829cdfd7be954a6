"""Models on their way to another process."""

import pickle
import weakref
from collections.abc import Callable
from typing import Any, final

import cloudpickle
import jax

from taut.errors import StorageError


@final
class Portable:
    """A model that pickles by value, with functions that are defined in a script or a notebook.

    The same object stands for a model as long as that lives, so that fits of one model which are
    pickled together share it when they come back.

    Parameters
    ----------
    model
        The model, held weakly.
    as_source
        Makes a source of what comes back.
    """

    def __init__(self, model: Any, as_source: Callable[[Any], Any]) -> None:
        self._model, self._as_source = weakref.ref(model), as_source

    def __reduce__(self) -> Any:
        try:
            content = cloudpickle.dumps(self._model())
        except Exception as error:
            raise StorageError(
                f"The model can not be pickled, and so neither can its fit "
                f"({type(error).__name__}: {error}). Save the fit without it, "
                "approx.save(path), and read it where the model is built again: "
                "taut.load(path, model=model)."
            ) from error
        return _unpacked, (content, self._as_source)


# By identity: targets are equal where their arrays are, and have no hash.
_PORTABLE: dict[int, Portable] = {}


def portable(model: Any, as_source: Callable[[Any], Any]) -> Portable:
    """Return the one that stands for a model."""
    if id(model) not in _PORTABLE:
        _PORTABLE[id(model)] = Portable(model, as_source)
        weakref.finalize(model, _PORTABLE.pop, id(model))
    return _PORTABLE[id(model)]


def _unpacked(content: bytes, as_source: Callable[[Any], Any]) -> Any:
    # Arrays of 64 bits would come back as 32, where JAX is not told otherwise.
    with jax.enable_x64(True):
        return as_source(pickle.loads(content))
