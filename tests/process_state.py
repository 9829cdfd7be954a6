"""What a fit may not leave changed, however it ends."""

import signal
import sys
import threading
import time
import warnings
from dataclasses import dataclass, fields
from typing import Any

import jax
from threadpoolctl import threadpool_info

# A thread that was told to end has so many seconds for the block that it is reading.
_PATIENCE = 10.0
# taut's threads for gradients, as many as cores, which stay when they are first used.
_POOL = "taut-"


@dataclass(frozen=True)
class ProcessState:
    """Handlers, filters, limits, precision and threads of this process."""

    handler: Any
    hook: Any
    filters: tuple[Any, ...]
    blas: tuple[int, ...]
    x64: bool
    threads: frozenset[threading.Thread]

    @classmethod
    def now(cls) -> "ProcessState":
        """Look at them."""
        pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
        threads = (one for one in threading.enumerate() if not one.name.startswith(_POOL))
        return cls(
            signal.getsignal(signal.SIGINT), sys.unraisablehook, tuple(warnings.filters),
            tuple(pool["num_threads"] for pool in pools), bool(jax.config.jax_enable_x64),
            frozenset(threads),
        )  # fmt: skip

    def changes(self) -> list[str]:
        """Name what is another now, once threads have had time to end."""
        end, now = time.monotonic() + _PATIENCE, ProcessState.now()
        while not now.threads <= self.threads and time.monotonic() < end:
            time.sleep(0.01)
            now = ProcessState.now()
        more = [f"the thread {thread.name}" for thread in now.threads - self.threads]
        names = [field.name for field in fields(self) if field.name != "threads"]
        return more + [name for name in names if getattr(now, name) != getattr(self, name)]
