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
├── DataSetError         one of many data sets does not fit the model
├── OptimizerError       what was given is no optimizer (also a TypeError and a ValueError)
├── NotFiniteError       a density is not a number (also a FloatingPointError)
├── ForkError            a fit in a process that was forked after JAX started (also RuntimeError)
├── StorageError         a fit can not be saved, or a saved one can not be read
├── TooLargeError        more memory is asked for than is left (also a MemoryError)
└── NotFittedError       a result is asked for before there is one
"""

import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


class DataSetError(TautError, ValueError):
    """One of many data sets does not fit the model."""


class OptimizerError(TautError, TypeError, ValueError):
    """What was given is no optimizer, or has a hyper-parameter that makes no sense."""


class NotFiniteError(TautError, FloatingPointError):
    """A log density is not a finite number."""


class ForkError(TautError, RuntimeError):
    """A process that was forked after JAX had started can neither fit nor compile."""


class ProcessError(TautError, RuntimeError):
    """A process that a fit shares devices with has ended, or was given something else."""


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

    Filters belong to the process, and `warnings.catch_warnings` puts all of them back: where two
    threads are in one at once, one puts back what the other has added. So a filter is added here
    and taken away again, and others are left alone.
    """
    _FILTERS.enter(message)
    try:
        yield
    finally:
        _FILTERS.leave(message)


class _Filters:
    """What was added to the filters of the process, while anybody is inside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside: Counter[str] = Counter()
        self._added: dict[str, Any] = {}

    def enter(self, message: str) -> None:
        with self._lock:
            self._inside[message] += 1
            before = list(warnings.filters)
            # Anew for each: who has left a `catch_warnings` meanwhile may have taken it away.
            warnings.filterwarnings("ignore", message=message)
            if warnings.filters[0] not in before:
                self._added[message] = warnings.filters[0]

    def leave(self, message: str) -> None:
        with self._lock:
            self._inside[message] -= 1
            if not self._inside[message] and message in self._added:
                with suppress(ValueError):
                    # Python remembers nothing of warnings that were ignored.
                    warnings.filters.remove(self._added.pop(message))  # pyright: ignore[reportAttributeAccessIssue]


_FILTERS = _Filters()
_IS_SILENT: ContextVar[bool] = ContextVar("taut_is_silent", default=False)
