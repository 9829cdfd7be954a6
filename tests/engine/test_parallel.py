"""Calls are spread over threads, and make the same as one after the other."""

import threading
import time

import pytest

from taut.engine import cores, in_parallel, parallel, threads_for


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_results_come_in_the_order_of_the_items(count: int, threads: int) -> None:
    def late(item: int) -> int:
        # Later ones would be the first to end.
        time.sleep(0.001 * (count - item))
        return item**2

    assert in_parallel(late, range(count), threads) == [item**2 for item in range(count)]


def test_calls_are_under_way_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits for the other, on any machine."""
    monkeypatch.setattr(parallel, "cores", lambda: 2)
    parallel._pool.cache_clear()
    both = threading.Barrier(2, timeout=30)
    assert len(in_parallel(lambda _: both.wait(), range(2), 2)) == 2
    parallel._pool.cache_clear()


def test_the_callers_thread_takes_part() -> None:
    names = in_parallel(lambda _: threading.current_thread().name, range(3), 2)
    assert names[0] == threading.current_thread().name
    assert all(name.startswith("taut") for name in names[1:])


def test_an_error_goes_to_the_caller() -> None:
    def fails(item: int) -> None:
        if item == 1:
            raise ValueError("the second")

    with pytest.raises(ValueError, match="the second"):
        in_parallel(fails, range(4), 2)


def test_little_work_stays_on_one_thread() -> None:
    assert threads_for(1000.0) == 1
    assert threads_for(1e9) == cores() >= 1
