"""Threads of linear algebra on the host, which wait for one another longer than they compute."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController

from taut.engine.interrupts import undisturbed

# Rows from which on a square matrix is worth more than one thread: at 1 000 two save a fifth of a
# product on idle cores, and where others compute they take nine times as long as one at 1 000, five
# times at 2 000 and up to twice at 3 000.
_LARGE = 4000


@contextmanager
def single_threaded(largest: int) -> Iterator[None]:
    """Keep linear algebra on one thread, unless there are large matrices.

    OpenBLAS's threads spin while they wait. Beside XLA's own, on two idle cores, a fit in 175
    dimensions took 27 s with two of them and 6 s with one, and a step of a Gaussian process of 50
    points eight times as long. The setting is the process's; the last to leave puts it back.

    Parameters
    ----------
    largest
        Rows of the largest square matrix, such as `taut.target.Target.largest_matrix`.

    Examples
    --------
    >>> import numpy as np
    >>> from taut.engine import single_threaded
    >>> with single_threaded(3):
    ...     print(np.linalg.inv(2 * np.eye(3)).trace())
    1.5
    """
    if largest >= _LARGE:
        yield
        return
    _LIMIT.enter()
    try:
        yield
    finally:
        _LIMIT.leave()


class _Limit:
    """The limit of the process, which is set while anybody asks for it."""

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._limiter: Any = None

    def enter(self) -> None:
        with undisturbed(), self._lock:
            if self._inside == 0:
                self._limiter = ThreadpoolController().limit(limits=1, user_api="blas")
            self._inside += 1

    def leave(self) -> None:
        with undisturbed(), self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limiter.restore_original_limits()


_LIMIT = _Limit()
