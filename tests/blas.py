"""Linear algebra of tests takes one thread, in their process and in those that they start.

Workers of a run share the cores, and OpenBLAS's threads spin while they wait for one whose core is
another's: a fit in 1 200 dimensions took 128 s on a busy machine with two threads, 3 s with one.
"""

from collections.abc import MutableMapping

from threadpoolctl import threadpool_limits

THREADS = "OPENBLAS_NUM_THREADS"


def limit_blas(environment: MutableMapping[str, str]) -> None:
    """Take one thread, unless the environment says how many."""
    if THREADS not in environment:
        environment[THREADS] = "1"
        # Plugins of pytest have loaded NumPy's already; SciPy's reads the environment.
        threadpool_limits(1, user_api="blas")
