"""What is built once, and kept while it is used."""

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from taut.engine import Kept, Programs, Same, programs


class Thing:
    """Something that weak references can point to."""


def test_what_is_there_is_not_built_again() -> None:
    kept, built = Kept[str, int](3), []
    for _ in range(3):
        assert kept("a", lambda: built.append(1) or len(built)) == 1  # pyright: ignore
    assert built == [1]


@pytest.mark.parametrize("most", [1, 2, 5])
def test_the_bound_holds(most: int) -> None:
    kept = Kept[int, int](most)
    for x in range(20):
        kept(x, lambda x=x: x**2)
        assert len(kept) == min(x + 1, most)
    assert kept.values() == [x**2 for x in range(20 - most, 20)]


def test_the_least_recently_used_goes() -> None:
    kept = Kept[str, str](2)
    for key in ("a", "b", "a", "c"):
        kept(key, lambda key=key: key)
    assert "a" in kept
    assert "b" not in kept


def test_to_ask_whether_it_is_there_is_no_use_of_it() -> None:
    kept = Kept[str, str](2)
    kept("a", lambda: "a")
    kept("b", lambda: "b")
    assert "a" in kept
    kept("c", lambda: "c")
    assert "a" not in kept


def test_what_is_not_current_is_built_again_in_its_place() -> None:
    kept = Kept[str, int](2)
    kept("a", lambda: 1)
    assert kept("a", lambda: 2, lambda value: value > 1) == 2
    assert kept("a", lambda: 3, lambda value: value > 1) == 2
    assert kept.values() == [2]


def test_what_can_not_be_built_leaves_all_as_it_was() -> None:
    kept = Kept[str, float](2)
    kept("a", lambda: 1.0)
    with pytest.raises(ZeroDivisionError):
        kept("b", lambda: 1.0 / 0.0)
    assert kept.values() == [1.0]
    assert kept("b", lambda: 2.0) == 2.0


def test_one_may_be_built_while_another_is() -> None:
    kept = Kept[int, int](10)

    def fibonacci(n: int) -> int:
        return kept(n, lambda: n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2))

    assert fibonacci(9) == 34


def test_keys_of_the_same_thing_are_equal_and_of_equal_things_are_not() -> None:
    one, other = [1.0], [1.0]
    assert Same(one) == Same(one)
    assert hash(Same(one)) == hash(Same(one))
    assert Same(one) != Same(other)
    assert Same(one) != one


def test_a_thing_is_held_as_long_as_what_was_built_for_it() -> None:
    """So that no other thing can get its id, and with it what was built for the first."""
    kept = Kept[Same, int](2)
    things = [Thing() for _ in range(4)]
    references = [weakref.ref(thing) for thing in things]
    for number, thing in enumerate(things):
        kept(Same(thing), lambda number=number: number)
    del thing, things
    gc.collect()
    assert [reference() is not None for reference in references] == [False, False, True, True]


def test_threads_share_it() -> None:
    """The bound holds, and each gets what belongs to its key."""
    kept, at_once = Kept[int, list[int]](5), Barrier(8)

    def work(seed: int) -> bool:
        at_once.wait()
        keys = np.random.default_rng(seed).integers(12, size=3000).tolist()
        return all(kept(key, lambda key=key: [key]) == [key] for key in keys)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
    assert len(kept) == 5


def test_programs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that went is compiled again, and gives the same."""
    monkeypatch.setattr(programs, "_MOST", 3)
    table = Programs()

    def add(by: int, x: np.ndarray) -> np.ndarray:
        return x + by

    for by in (0, 1, 2, 3, 0):
        assert float(table(add, by, np.float64(1))) == 1.0 + by
    assert len(table.compiled) == 3
    assert table.count == 5
    assert table.has(add, 0, np.float64(1))
    assert not table.has(add, 1, np.float64(1))


def test_threads_share_programs() -> None:
    table, at_once = Programs(), Barrier(4)

    def double(by: int, x: np.ndarray) -> np.ndarray:
        return x * by

    def work(_: int) -> list[float]:
        at_once.wait()
        return [float(table(double, by, np.float64(3))) for by in (1, 2, 3)]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [[3.0, 6.0, 9.0]] * 4
    assert len(table.compiled) == 3
