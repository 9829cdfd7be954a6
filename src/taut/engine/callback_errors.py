"""What Python raised inside of a program, which JAX tells of in an error of its own."""

import threading

_LOCK = threading.Lock()
# The last ones, for programs that run at the same time.
_RAISED: list[Exception] = []
_MOST = 16


def remember_error(error: Exception) -> None:
    """Remember what a callback of a program raises."""
    with _LOCK:
        _RAISED.append(error)
        del _RAISED[:-_MOST]


def raise_error_of_callback(told: Exception) -> None:
    """Raise what a callback raised, if that is what JAX tells of.

    Parameters
    ----------
    told
        The error of JAX, with the traceback of the callback in its words.
    """
    words = str(told)
    with _LOCK:
        found = [
            error for error in _RAISED if type(error).__name__ in words and str(error) in words
        ]
        _RAISED[:] = [error for error in _RAISED if error not in found[-1:]]
    if found:
        raise found[-1] from None
