"""Calls that do not depend on one another, on all cores."""

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

# Operations of all calls together from which on threads are quicker, about a millisecond.
_WORTH = 2_000_000


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_for(operations: float) -> int:
    """Choose on how many threads so many operations are done soonest."""
    return cores() if operations > _WORTH else 1


def in_parallel[Item, Result](
    call: Callable[[Item], Result], items: Sequence[Item], threads: int
) -> list[Result]:
    """Call a function of each item, and return the results in the order of the items.

    What is called has to leave Python's lock, as a compiled program does. The caller's thread
    takes the first item.

    Parameters
    ----------
    call
        What is called; it writes nothing that another call reads.
    items
        Its arguments.
    threads
        One for all in turn, else as many as there are cores.
    """
    if threads == 1 or len(items) < 2:
        return [call(item) for item in items]
    futures = [_pool(os.getpid()).submit(call, item) for item in items[1:]]
    try:
        return [call(items[0]), *(future.result() for future in futures)]
    finally:
        for future in futures:
            future.cancel()


@functools.cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Return the threads of a process; a forked one has none of its parent's."""
    return ThreadPoolExecutor(cores(), thread_name_prefix=f"taut-{process}")
