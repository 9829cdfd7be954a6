"""Ctrl-C where Python would lose it: in finalizers, and in callbacks of the garbage collector.

Python prints what these raise and goes on. So a `KeyboardInterrupt` there is remembered while a fit
is under way, and raised at the next safe point of the main thread, which alone gets signals.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, final


@final
class _Watch:
    """What was lost since the outermost call of taut's began."""

    def __init__(self) -> None:
        self.depth, self.lost = 0, False
        self._before: Callable[[Any], Any] = sys.unraisablehook

    def enter(self) -> None:
        if self.depth == 0:
            self.lost, self._before = False, sys.unraisablehook
            sys.unraisablehook = self.hook
        self.depth += 1

    def leave(self) -> None:
        self.depth -= 1
        # Who has put another hook on top of this one is not disturbed.
        if self.depth == 0 and sys.unraisablehook == self.hook:
            sys.unraisablehook = self._before

    def hook(self, unraisable: Any) -> None:
        if self.depth and issubclass(unraisable.exc_type, KeyboardInterrupt) and _is_main():
            self.lost = True
        else:
            self._before(unraisable)


_watch = _Watch()


@contextmanager
def never_lost() -> Iterator[None]:
    """Raise at the end, or at a safe point before, a Ctrl-C that came inside and was lost."""
    if not _is_main():
        yield
        return
    _watch.enter()
    try:
        yield
    finally:
        _watch.leave()
    raise_lost()


def remember() -> None:
    """Remember a Ctrl-C that came where it can not be raised: in a callback of XLA's."""
    if _watch.depth and _is_main():
        _watch.lost = True


def take_lost() -> bool:
    """Check whether a Ctrl-C was lost, once."""
    lost = _watch.lost and _is_main()
    if lost:
        _watch.lost = False
    return lost


def raise_lost() -> None:
    """Raise a Ctrl-C that was lost; a safe point.

    Raises
    ------
    KeyboardInterrupt
        One was.
    """
    if _watch.lost and take_lost():
        raise KeyboardInterrupt


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()
