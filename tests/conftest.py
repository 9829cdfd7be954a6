"""What all tests share."""

import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from blas import limit_blas
from kept_programs import FOLDER, keep_bytecode, keep_programs, trim
from scheduling import ByModule
from shaking import apply_criteria, apply_shake
from slow import LONGEST, complaint, may_be_slow

# Set before any import of JAX, and for the processes that tests start.
keep_bytecode(os.environ)
keep_programs(os.environ)
limit_blas(os.environ)


@pytest.hookimpl
def pytest_configure(config: pytest.Config) -> None:
    """Shake what the environment names, before any test is imported; see `shaking`."""
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    apply_shake(patch)
    apply_criteria(patch)
    if not hasattr(config, "workerinput"):  # once, and not by each process of xdist
        trim(Path(os.environ[FOLDER]))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByModule | None:
    """Spread modules over the processes; see `scheduling`."""
    return ByModule(config, log) if config.getoption("dist") == "loadscope" else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that takes long where none may; see `slow`."""
    begun = time.process_time()
    result = yield
    seconds = time.process_time() - begun
    if seconds > LONGEST and not may_be_slow(item.nodeid, item.iter_markers()):
        pytest.fail(complaint(seconds), pytrace=False)
    return result


@pytest.fixture(autouse=True)
def _no_folder_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test, or an example in a docstring, chose by `set_cache_directory` is forgotten."""
    from taut.engine import disk_cache

    monkeypatch.setattr(disk_cache, "_disk_cache", disk_cache.DiskCache())
