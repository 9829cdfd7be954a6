"""How long a step takes at least, by the bytes it has to move."""

import time
from dataclasses import dataclass

import numpy as np

from benchmarks.models import Case

# Beyond every cache.
_MEMORY_BYTES = 256 * 2**20
_SECONDS = 0.3
_LEAST_BYTES = 4096


@dataclass
class Floor:
    """The traffic of a step, and the time it takes on this machine.

    Parameters
    ----------
    step_bytes
        Least bytes a step reads and writes.
    memory
        Bytes per second of a copy in main memory.
    cache
        Bytes per second of a copy as large as `step_bytes`, in the cache that holds it.
    """

    step_bytes: int
    memory: float
    cache: float

    @property
    def microseconds(self) -> float:
        """Of a step whose data come from main memory."""
        return 1e6 * self.step_bytes / self.memory

    @property
    def cached_microseconds(self) -> float:
        """Of a step whose data stay in the cache between steps."""
        return 1e6 * self.step_bytes / self.cache


def measure(case: Case) -> Floor:
    """Measure the machine for one model."""
    least = max(case.step_bytes, _LEAST_BYTES)
    return Floor(case.step_bytes, copy_bandwidth(_MEMORY_BYTES), copy_bandwidth(least))


def copy_bandwidth(size: int) -> float:
    """Bytes per second that NumPy's copy reads and writes, on one core, `size` in all."""
    # Both are written before they are timed, or the first copy pays for mapping their pages.
    source, target = np.ones(size // 16), np.ones(size // 16)
    fastest, begin = np.inf, time.perf_counter()
    while time.perf_counter() - begin < _SECONDS:
        one = time.perf_counter()
        for _ in range(repeats := max(1, 2**22 // size)):
            np.copyto(target, source)
        fastest = min(fastest, (time.perf_counter() - one) / repeats)
    return 2 * source.nbytes / fastest
