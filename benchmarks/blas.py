"""The number of BLAS threads, on which PyMC's speed hangs; taut's fits choose theirs.

On cores that other programs use too, OpenBLAS with a thread a core can take 25 times as long for a
matrix times a vector as with one thread. Such a figure says nothing of PyMC, so that whatever is
timed is given the faster of both settings, found anew each time and before the clock starts.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import scipy.linalg  # noqa: F401  its BLAS, which numba calls, has to be loaded to be limited
from threadpoolctl import threadpool_limits

_SHAPE = (10_000, 50)
# Enough that a thread which waits for a core held by another program is met.
_CALLS = 300


@contextmanager
def faster_blas() -> Iterator[int | None]:
    """Run with one BLAS thread or with all (`None`), whichever is faster at this moment."""
    with threadpool_limits(1, "blas"):
        one = _seconds()
    threads = 1 if one < _seconds() else None
    with threadpool_limits(threads, "blas"):
        yield threads


def _seconds() -> float:
    """Time what a regression asks of BLAS: a matrix times a vector, and its transpose."""
    matrix, vector = np.ones(_SHAPE), np.ones(_SHAPE[1])
    begin = time.perf_counter()
    for _ in range(_CALLS):
        np.dot(matrix.T, np.dot(matrix, vector))
    return time.perf_counter() - begin
