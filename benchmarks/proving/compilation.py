"""How long a fit compiles: JAX and numba tell, PyTensor is watched."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

from pytensor.compile.maker import FunctionMaker
from pytensor.graph.rewriting.basic import GraphRewriter

# Tracing, lowering, and XLA.
_JAX = "/jax/core/compile/"
_NUMBA = "numba:compile"
# Rewriting, and C or Python's code for a graph; numba compiles that at its first call.
_PYTENSOR = (GraphRewriter, "rewrite"), (FunctionMaker, "__init__"), (FunctionMaker, "create")


class Compilation:
    """When something was compiled.

    Attributes
    ----------
    spans
        From when until when, by `time.perf_counter`, as they ended; one may be within another.

    Examples
    --------
    >>> from benchmarks.proving.compilation import Compilation
    >>> compilation = Compilation()
    >>> compilation.spans += [(1.0, 2.0), (0.0, 3.0), (5.0, 6.0)]
    >>> compilation.seconds
    4.0
    """

    def __init__(self) -> None:
        self.spans: list[tuple[float, float]] = []

    @property
    def seconds(self) -> float:
        """How long at least one thing was being compiled."""
        total, reached = 0.0, float("-inf")
        for begin, end in sorted(self.spans):
            total += max(0.0, end - max(begin, reached))
            reached = max(reached, end)
        return total

    def ended(self, seconds: float) -> None:
        """Note what has just ended and took so long."""
        now = time.perf_counter()
        self.spans.append((now - seconds, now))


@contextmanager
def watched() -> Iterator[Compilation]:
    """Note what JAX, numba and PyTensor compile inside, of what is imported by then."""
    found = Compilation()
    with ExitStack() as stack:
        if "jax" in sys.modules:
            stack.enter_context(_jax(found))
        numba = _Numba(found, stack)
        for owner, name in _PYTENSOR:
            stack.enter_context(_timed(owner, name, found, numba.install))
        yield found


@contextmanager
def _jax(found: Compilation) -> Iterator[None]:
    from jax import monitoring

    def listen(event: str, seconds: float, **_: Any) -> None:
        if event.startswith(_JAX):
            found.ended(seconds)

    monitoring.register_event_duration_secs_listener(listen)
    try:
        yield
    finally:
        monitoring.unregister_event_duration_listener(listen)


class _Numba:
    """numba is imported when PyTensor first makes code for it, and compiles when that is called."""

    def __init__(self, found: Compilation, stack: ExitStack) -> None:
        self.found, self.stack, self.is_there = found, stack, False
        self.install()

    def install(self) -> None:
        if self.is_there or "numba" not in sys.modules:
            return
        from numba.core.event import install_timer

        self.stack.enter_context(install_timer(_NUMBA, self.found.ended))
        self.is_there = True


@contextmanager
def _timed(owner: type, name: str, found: Compilation, after: Callable[[], None]) -> Iterator[None]:
    method = getattr(owner, name)

    @wraps(method)
    def timed(*args: Any, **kwargs: Any) -> Any:
        begin = time.perf_counter()
        try:
            return method(*args, **kwargs)
        finally:
            found.spans.append((begin, time.perf_counter()))
            after()

    setattr(owner, name, timed)
    try:
        yield
    finally:
        setattr(owner, name, method)
