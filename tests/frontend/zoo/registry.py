"""The table of models, and the decorator that enters one."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pymc as pm

Build = Callable[[], pm.Model]

MODELS: dict[str, Build] = {}


def case(body: Callable[[np.random.Generator], Any]) -> Build:
    """Enter a model into the table: the body makes its variables, with seeded data."""
    return enter(MODELS, body.__name__, body)


def labelled(coords: Mapping[str, Any]) -> Callable[..., Build]:
    """Enter a model that has coordinates."""
    return lambda body: enter(MODELS, body.__name__, body, coords)


def enter(
    table: dict[str, Build],
    name: str,
    body: Callable[[np.random.Generator], Any],
    coords: Mapping[str, Any] | None = None,
) -> Build:
    def build() -> pm.Model:
        with pm.Model(coords=coords) as model:
            body(np.random.default_rng(20240607))
        return model

    table[name] = build
    return build
