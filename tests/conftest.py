"""What all tests share."""

import os
from collections.abc import Iterator

import pytest

# Tests neither read nor write the programs of the user who runs them. Set before any import, and
# for the processes that tests start.
os.environ["TAUT_CACHE_DIR"] = "off"


@pytest.fixture(autouse=True)
def _no_folder_chosen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What one test, or an example in a docstring, chose by `set_cache_directory` is forgotten."""
    from taut import compilation

    monkeypatch.setattr(compilation, "_choice", [])
    yield
    compilation._is_usable.cache_clear()
