"""What all tests share."""

import os

import pytest

from shaking import apply_criteria, apply_shake

# Tests neither read nor write the programs of the user who runs them. Set before any import, and
# for the processes that tests start.
os.environ["TAUT_CACHE_DIR"] = "off"


@pytest.hookimpl
def pytest_configure(config: pytest.Config) -> None:
    """Shake what the environment names, before any test is imported; see `shaking`."""
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    apply_shake(patch)
    apply_criteria(patch)


@pytest.fixture(autouse=True)
def _no_folder_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test, or an example in a docstring, chose by `set_cache_directory` is forgotten."""
    from taut.engine import disk_cache

    monkeypatch.setattr(disk_cache, "_disk_cache", disk_cache.DiskCache())
