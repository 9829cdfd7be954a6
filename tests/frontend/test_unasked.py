"""Batches that a fit of very many rows prepares unasked: no model is refused for them."""

from collections.abc import Callable

import numpy as np
import pymc as pm
import pytest

import taut
from taut.method import direct
from taut.target import Batching

from .models import MODELS, QUIET

pytestmark = QUIET


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_batched_or_left_as_it_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "_BATCH_ROWS", 3)
    build: Callable[[], pm.Model] = MODELS[name]
    auto = taut.Auto(model=build(), random_seed=1)
    with auto.approx.target.precision():
        start = np.asarray(auto.approx.family.mean(), float)
        stepping = auto._unasked(Batching(), start)
    assert stepping is None or stepping.scale >= 1.0
