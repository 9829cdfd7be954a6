"""Reading ahead, in a thread."""

import threading
import weakref
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, final

from taut.errors import RowsError
from taut.rows.base import load


@final
class ReadAhead[T](Iterator[T]):
    """Takes items of a generator in a thread, before they are asked for.

    The thread is grain's. It ends with `close`, or when nothing refers to this object any more.

    Parameters
    ----------
    items
        Runs in the thread. What it raises is raised where its items are taken, now and ever after.
    length
        Items that are held, besides the one that is being made.

    Raises
    ------
    ModuleNotFoundError
        grain is not installed.

    Examples
    --------
    >>> from taut.rows.read_ahead import ReadAhead
    >>> ahead = ReadAhead((i**2 for i in range(1000)), length=2)
    >>> next(ahead), next(ahead), next(ahead)
    (0, 1, 4)
    >>> ahead.close()
    """

    def __init__(self, items: Generator[T], length: int) -> None:
        grain = load("grain.experimental", "Reading ahead")
        prefetch = grain.ThreadPrefetchDatasetIterator(_Parent(items), prefetch_buffer_size=length)
        self._thread = _Thread(prefetch, items)
        # Must not refer to this object, which would never be collected.
        weakref.finalize(self, _close_elsewhere, self._thread)
        self._failure: BaseException | None = None
        # Else grain starts at the first item, and nothing is read while a program is compiled.
        prefetch.start_prefetch()

    def __iter__(self) -> "ReadAhead[T]":
        return self

    def __next__(self) -> T:
        if self._failure is None:
            item = self._thread.take()
            if not isinstance(item, _Failure):
                return item
            self._failure = item.error
            self._thread.close()
        raise self._failure

    def close(self) -> None:
        """End the thread; a second time nothing happens."""
        if self._failure is None:
            self._failure = RowsError("These rows are closed; begin to read them anew.")
        try:
            self._thread.close()
        except KeyboardInterrupt:
            # Ctrl-C ends the wait for the thread, which may be in the middle of a block.
            _close_elsewhere(self._thread)
            raise


@dataclass(frozen=True)
class _Failure:
    """What was raised in the thread."""

    error: BaseException


class _Parent[T]:
    """A generator as grain wants it; it raises nothing, since grain would go on after it."""

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items

    def __iter__(self) -> "_Parent[T]":
        return self

    def __next__(self) -> "T | _Failure":
        try:
            return next(self._items)
        # Whatever ends the thread has to be told: who waits for an item would wait for ever.
        except BaseException as error:
            return _Failure(error)

    def get_state(self) -> dict[str, Any]:
        return {}


class _Thread:
    """grain's iterator as long as it is open."""

    def __init__(self, prefetch: Any, items: Generator[Any]) -> None:
        self._prefetch: Any = prefetch
        self._items = items
        self._closing = threading.Lock()

    def take(self) -> Any:
        return next(self._prefetch)

    def close(self) -> None:
        """End the thread; whoever comes while another waits for it leaves it to that one."""
        if self._prefetch is None or not self._closing.acquire(blocking=False):
            return
        try:
            # The collector of garbage may run in the thread itself, which then ends a bit later.
            with suppress(RuntimeError, ValueError):
                self._prefetch.close()
                self._items.close()
            self._prefetch = None
        finally:
            self._closing.release()


def _close_elsewhere(thread: _Thread) -> None:
    """End a thread without waiting for it here.

    The collector of garbage may run in a thread that the reading one waits for, such as zarr's.
    """
    try:
        threading.Thread(target=thread.close, daemon=True).start()
    except RuntimeError:
        # The interpreter ends, and no thread can begin any more.
        thread.close()
    except KeyboardInterrupt:
        # A finalizer is not called again, and the thread would stay.
        threading.Thread(target=thread.close, daemon=True).start()
        raise
