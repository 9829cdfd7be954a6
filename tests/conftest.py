"""What all tests share."""

import os
from pathlib import Path

import pytest

from kept_programs import FOLDER, keep_programs, trim
from shaking import apply_criteria, apply_shake

# Set before any import of JAX, and for the processes that tests start.
keep_programs(os.environ)


@pytest.hookimpl
def pytest_configure(config: pytest.Config) -> None:
    """Shake what the environment names, before any test is imported; see `shaking`."""
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    apply_shake(patch)
    apply_criteria(patch)
    if not hasattr(config, "workerinput"):  # once, and not by each process of xdist
        trim(Path(os.environ[FOLDER]))


@pytest.fixture(autouse=True)
def _no_folder_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test, or an example in a docstring, chose by `set_cache_directory` is forgotten."""
    from taut.engine import disk_cache

    monkeypatch.setattr(disk_cache, "_disk_cache", disk_cache.DiskCache())
