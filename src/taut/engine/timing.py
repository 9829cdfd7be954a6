"""Where the seconds of a fit go."""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from taut.engine.interrupts import never_lost


@dataclass
class Timing:
    """Where the seconds of a fit went.

    Parameters
    ----------
    lift
        Turning the model into a JAX function, its start point included.
    compile
        Tracing and compiling programs, or reading them from the disk cache.
    run
        Running them.
    read
        Waiting for rows: shuffling those in memory, or reading others.
    host
        All else that a fit does in Python: chains' moves, linear algebra, callbacks.
    """

    lift: float = 0.0
    compile: float = 0.0
    run: float = 0.0
    read: float = 0.0
    host: float = 0.0

    @property
    def total(self) -> float:
        return self.lift + self.compile + self.run + self.read + self.host

    def __str__(self) -> str:
        read = f", read {self.read:.2f} s" if self.read >= 0.005 else ""
        return (
            f"lift {self.lift:.2f} s, compile {self.compile:.2f} s, run {self.run:.2f} s{read}, "
            f"host {self.host:.2f} s (total {self.total:.2f} s)"
        )


@contextmanager
def clock(timing: Timing, part: str) -> Iterator[None]:
    """Add the seconds spent inside to one part of a timing."""
    begin = time.perf_counter()
    try:
        yield
    finally:
        setattr(timing, part, getattr(timing, part) + time.perf_counter() - begin)


@contextmanager
def accounted(timing: Timing) -> Iterator[None]:
    """Charge the host with those seconds spent inside that no other part is charged with."""
    begin, known = time.perf_counter(), timing.total
    try:
        with never_lost():
            yield
    finally:
        timing.host += max(0.0, time.perf_counter() - begin - (timing.total - known))


@contextmanager
def building(timing: Timing, part: str) -> Iterator[None]:
    """Count seconds of work on graphs, which Python's garbage collector does not interrupt.

    It would go through all nodes again and again, a fifth of a first fit, and find nothing.
    """
    with never_lost():
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            with clock(timing, part):
                yield
        finally:
            if was_enabled:
                gc.enable()
