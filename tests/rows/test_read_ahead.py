"""A thread that reads ahead ends, and nothing waits for it that it waits for."""

import gc
import signal
import threading
import time
from collections.abc import Generator

import pytest

from taut.errors import RowsError
from taut.rows.read_ahead import ReadAhead


def readers() -> int:
    return sum(thread.name.startswith("grain-thread-prefetch") for thread in threading.enumerate())


def soon(number: int) -> bool:
    """Whether so many threads read within some seconds."""
    for _ in range(200):
        if readers() == number:
            return True
        time.sleep(0.05)
    return False


def test_a_reader_that_nothing_refers_to_ends() -> None:
    before = readers()
    ahead = ReadAhead((i for i in range(1000)), length=2)
    assert next(ahead) == 0
    assert readers() == before + 1
    del ahead
    gc.collect()
    assert soon(before)


def test_to_forget_a_reader_does_not_wait_for_it() -> None:
    """Garbage may be collected in the thread that the reader waits for: here, this one."""
    event, before = threading.Event(), readers()

    def items() -> Generator[int]:
        yield 0
        event.wait(timeout=60.0)
        yield 1

    ahead = ReadAhead(items(), length=1)
    assert next(ahead) == 0
    began = time.monotonic()
    del ahead
    gc.collect()
    assert time.monotonic() - began < 30.0
    assert not event.is_set()
    event.set()
    assert soon(before)


def test_ctrl_c_ends_the_wait_for_a_reader_and_the_reader_all_the_same() -> None:
    """The reader is in the middle of a block when it is to end, and its owner waits."""
    event, before = threading.Event(), readers()

    def items() -> Generator[int]:
        yield 0
        event.wait(timeout=60.0)
        yield 1

    ahead = ReadAhead(items(), length=1)
    assert next(ahead) == 0
    press = threading.Timer(0.2, lambda: signal.pthread_kill(main, signal.SIGINT))
    main = threading.get_ident()
    press.start()
    with pytest.raises(KeyboardInterrupt):
        ahead.close()
    assert not event.is_set()
    with pytest.raises(RowsError, match="closed"):
        next(ahead)
    event.set()
    # It is still referred to.
    assert soon(before)
    ahead.close()
