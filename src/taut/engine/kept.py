"""What is built once, and kept while it is used."""

import threading
from collections.abc import Callable, Hashable
from typing import Any, final


@final
class Same:
    """A thing as a part of a key: equal to itself alone, and held, so that no other gets its id.

    Keys have to be hashable; schedules, optax transformations and arrays need not be.

    Parameters
    ----------
    thing
        Anything.

    Examples
    --------
    >>> from taut.engine import Same
    >>> schedule = [1, 2]
    >>> Same(schedule) == Same(schedule), Same(schedule) == Same([1, 2])
    (True, False)
    """

    __slots__ = ("thing",)

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.thing is other.thing

    def __hash__(self) -> int:
        return id(self.thing)

    def __repr__(self) -> str:
        return getattr(self.thing, "__qualname__", type(self.thing).__name__)


def _always(_: Any) -> bool:
    return True


@final
class Kept[Key: Hashable, Value]:
    """Values by key; of too many the least recently used goes.

    Threads may share it. Two that ask at once for what is not there both build it, and one of the
    two is kept.

    Parameters
    ----------
    most
        How many are kept.

    Examples
    --------
    >>> from taut.engine import Kept
    >>> squares = Kept(2)
    >>> [squares(x, lambda: x**2) for x in (1, 2, 3)]
    [1, 4, 9]
    >>> 1 in squares, 3 in squares
    (False, True)
    """

    def __init__(self, most: int) -> None:
        self._most = most
        # The least recently used first.
        self._values: dict[Key, Value] = {}
        # What is dropped may come back here as it is finalized.
        self._lock = threading.RLock()

    def __call__(
        self,
        key: Key,
        build: Callable[[], Value],
        is_current: Callable[[Value], bool] = _always,
    ) -> Value:
        """Return what is kept for a key; build it where there is none, or none that is current."""
        found = self._used(key)
        if found is not None and is_current(found):
            return found
        # Outside the lock: it may take long, and look up others.
        built = build()
        self._put(key, built)
        return built

    def __contains__(self, key: Key) -> bool:
        with self._lock:
            return key in self._values

    def __len__(self) -> int:
        return len(self._values)

    def values(self) -> list[Value]:
        """Return all that is kept, the least recently used first."""
        with self._lock:
            return list(self._values.values())

    def _used(self, key: Key) -> Value | None:
        with self._lock:
            if key not in self._values:
                return None
            found = self._values[key] = self._values.pop(key)
            return found

    def _put(self, key: Key, value: Value) -> None:
        with self._lock:
            self._values.pop(key, None)
            self._values[key] = value
            dropped = [self._values.pop(old) for old in list(self._values)[: -self._most]]
        # Let go of outside the lock.
        del dropped
