"""The laws hold in double precision; a law about single precision says so itself."""

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    with jax.enable_x64(True):
        yield
