"""Ctrl-C where it would be lost, as in finalizers and in callbacks of the garbage collector.

Python prints what these raise and goes on, and other code may swallow it. So every Ctrl-C is noted
while a fit is under way. Where nobody has seen the `KeyboardInterrupt`, it is raised at the next
safe point of the main thread, which alone gets signals.
"""

import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, final


@final
class _Watch:
    """What was lost since the outermost call of taut's began."""

    def __init__(self) -> None:
        # While it is quiet, a Ctrl-C is noted and raised later.
        self.depth, self.lost, self.quiet = 0, False, False
        self._pressed, self._filters = False, list[Any]()
        self._before: Callable[[Any], Any] = sys.unraisablehook
        self._handler_before: Any = None

    def enter(self) -> None:
        if self.depth == 0:
            self.lost = self.quiet = self._pressed = False
            self._filters, self._before = list(warnings.filters), sys.unraisablehook
            sys.unraisablehook = self.hook
            self._handler_before = signal.getsignal(signal.SIGINT)
            # None, and what is no function, is not Python's.
            if callable(self._handler_before):
                signal.signal(signal.SIGINT, self.handler)
        self.depth += 1

    def leave(self) -> None:
        before, self.quiet = self.quiet, True
        self.depth -= 1
        if self.depth == 0:
            # Who has put another one on top of these is not disturbed.
            if signal.getsignal(signal.SIGINT) == self.handler:
                signal.signal(signal.SIGINT, self._handler_before)
            if sys.unraisablehook == self.hook:
                sys.unraisablehook = self._before
            if self._pressed:
                _put_back(self._filters)
        self.quiet = before

    def handler(self, number: int, frame: Any) -> None:
        try:
            self._handler_before(number, frame)
        except KeyboardInterrupt:
            # One of the user's own may mean something else by it.
            self.lost = self._pressed = True
            if not self.quiet:
                raise

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


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put off a Ctrl-C, while a fit is under way, to the next safe point after what is inside."""
    if not _is_main():
        yield
        return
    before, _watch.quiet = _watch.quiet, True
    try:
        yield
    finally:
        _watch.quiet = before


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


def _put_back(filters: list[Any]) -> None:
    """Put filters of warnings back that a Ctrl-C at the end of a `catch_warnings` has left."""
    if warnings.filters != filters:
        # So that Python notices.
        warnings.resetwarnings()
        warnings.filters.extend(filters)  # pyright: ignore[reportAttributeAccessIssue]


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()
