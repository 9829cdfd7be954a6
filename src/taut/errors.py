"""The exceptions taut raises on purpose.

TautError
├── ModelError           the model can not be fitted as it is written
│   └── DiscreteVariableError
├── ArgumentError        an argument of a public call (also a ValueError)
│   ├── UnknownArgumentError an argument that is none of the call's (also a TypeError)
│   ├── StartError       the start point: a name, a shape
│   ├── GroupError           groups that do not make one approximation (also a TypeError)
│   └── MethodError      an unknown method (also a KeyError and a TypeError)
├── RowsError            rows of data can not be read, or are not what was declared
├── OptimizerError       what was given is no optimizer (also a TypeError and a ValueError)
├── NotFiniteError       a density is not a number (also a FloatingPointError)
├── ForkError            a fit in a process that was forked after JAX started (also RuntimeError)
├── StorageError         a fit can not be saved, or a saved one can not be read
├── TooLargeError        more memory is asked for than is left (also a MemoryError)
└── NotFittedError       a result is asked for before there is one
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

_PACKAGE = str(Path(__file__).parent)


class TautError(Exception):
    """Whatever taut raises on purpose.

    Where it ends a fit under way, `approx` is the approximation with the last good parameters.
    """

    approx: Any = None


class ModelError(TautError, ValueError):
    """The model can not be fitted as it is written."""


class DiscreteVariableError(ModelError):
    """A free variable of the model is discrete, and so has no gradient."""


class ArgumentError(TautError, ValueError):
    """An argument of a public call has a value that makes no sense there."""


class StartError(ArgumentError):
    """The start point names no variable of the model, or has another shape."""


class UnknownArgumentError(ArgumentError, TypeError):
    """An argument is none of those that are taken there."""


class MethodError(ArgumentError, KeyError, TypeError):
    """No method of inference has that name."""

    # KeyError shows the repr of its message, which makes a long one unreadable.
    __str__ = Exception.__str__


class GroupError(ArgumentError, TypeError):
    """Groups of variables do not make one approximation."""


class RowsError(TautError, ValueError):
    """Rows of data can not be read, or are not what they were declared to be."""


class OptimizerError(TautError, TypeError, ValueError):
    """What was given is no optimizer, or has a hyper-parameter that makes no sense."""


class NotFiniteError(TautError, FloatingPointError):
    """A log density is not a finite number."""


class ForkError(TautError, RuntimeError):
    """A process that was forked after JAX had started can neither fit nor compile."""


class StorageError(TautError, ValueError):
    """A fit can not be saved or pickled, or a saved one can not be read or is of another model."""


class TooLargeError(TautError, MemoryError):
    """What is asked for takes more memory than the machine, or a control group, has left."""


class NotFittedError(TautError, RuntimeError):
    """A result is asked for before there is one."""


def warn(message: str) -> None:
    """Warn, at the first line of code outside of taut."""
    if not _IS_SILENT.get():
        warnings.warn(message, UserWarning, skip_file_prefixes=(_PACKAGE,))


@contextmanager
def silent() -> Iterator[None]:
    """Say nothing of taut's own inside, in this thread alone."""
    token = _IS_SILENT.set(True)
    try:
        yield
    finally:
        _IS_SILENT.reset(token)


@contextmanager
def unwarned(message: str) -> Iterator[None]:
    """Ignore warnings of other packages that begin so.

    Filters belong to the process: where threads are inside at once the last to leave puts back what
    the first found, which each on its own would not.
    """
    _FILTERS.enter(message)
    try:
        yield
    finally:
        _FILTERS.leave()


class _Filters:
    """The filters of the process, while anybody is inside."""

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._before: Any = None

    def enter(self, message: str) -> None:
        with self._lock:
            if self._inside == 0:
                self._before = warnings.catch_warnings()
                self._before.__enter__()
            self._inside += 1
            warnings.filterwarnings("ignore", message=message)

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._before.__exit__(None, None, None)


_FILTERS = _Filters()
_IS_SILENT: ContextVar[bool] = ContextVar("taut_is_silent", default=False)
