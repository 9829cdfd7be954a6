"""What is built once, and kept while it is used."""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
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


@dataclass(slots=True, eq=False)
class _Entry[Value]:
    """A value with the number of its last use.

    To put what is used last at the end of a dictionary instead would hash its key twice more, which
    takes as long as some programs.
    """

    value: Value
    used: int


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
        self._most, self._uses = most, 0
        self._entries: dict[Key, _Entry[Value]] = {}
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
            return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def values(self) -> list[Value]:
        """Return all that is kept, the least recently used first."""
        with self._lock:
            return [one.value for one in sorted(self._entries.values(), key=lambda one: one.used)]

    def _used(self, key: Key) -> Value | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._uses += 1
            entry.used = self._uses
            return entry.value

    def _put(self, key: Key, value: Value) -> None:
        dropped = None
        with self._lock:
            self._uses += 1
            self._entries[key] = _Entry(value, self._uses)
            if len(self._entries) > self._most:
                oldest, _ = min(self._entries.items(), key=lambda item: item[1].used)
                dropped = oldest, self._entries.pop(oldest)
        # Let go of outside the lock.
        del dropped
