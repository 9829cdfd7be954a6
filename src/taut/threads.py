"""Threads of NumPy's linear algebra, which wait for one another longer than they compute."""

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController

# Dimensions from which on products of matrices are worth more than one thread: at 500 two take as
# long as one, at 1 000 four fifths.
_LARGE = 750


@contextmanager
def single_threaded(dim: int) -> Iterator[None]:
    """Keep linear algebra in so many dimensions on one thread, if these are not very many.

    OpenBLAS's threads spin while they wait. Beside XLA's own, on two idle cores, a fit in 175
    dimensions took 27 s with two of them and 6 s with one. The setting is the process's; it is put
    back.

    Parameters
    ----------
    dim
        Rows of the largest matrices.

    Examples
    --------
    >>> import numpy as np
    >>> from taut.threads import single_threaded
    >>> with single_threaded(3):
    ...     print(np.linalg.inv(2 * np.eye(3)).trace())
    1.5
    """
    if dim >= _LARGE:
        yield
        return
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        yield
