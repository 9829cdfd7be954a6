"""Threads of NumPy's linear algebra, which wait for one another longer than they compute."""

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController

# Rows from which on a product of square matrices is worth more than one thread: at 500 two take as
# long as one, at 1 000 four fifths.
_LARGE = 750


@contextmanager
def single_threaded(largest: int) -> Iterator[None]:
    """Keep linear algebra on one thread, unless there are large matrices.

    OpenBLAS's threads spin while they wait. Beside XLA's own, on two idle cores, a fit in 175
    dimensions took 27 s with two of them and 6 s with one. The setting is the process's; it is put
    back.

    Parameters
    ----------
    largest
        Rows of the largest square matrix, such as `taut.target.Target.largest_matrix`.

    Examples
    --------
    >>> import numpy as np
    >>> from taut.threads import single_threaded
    >>> with single_threaded(3):
    ...     print(np.linalg.inv(2 * np.eye(3)).trace())
    1.5
    """
    if largest >= _LARGE:
        yield
        return
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        yield
