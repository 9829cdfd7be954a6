"""Models of many latents have what is compared, and comparisons are in standard deviations."""

import numpy as np
import pytest

from benchmarks.structures.command import compared
from benchmarks.structures.models import MODELS, Large


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"volatility-5000"}))
def test_models_have_what_is_compared(name: str) -> None:
    large = MODELS[name]
    model = large.build()
    # Others are made of what the model draws.
    assert {*large.scalars, large.latents} <= set(model.named_vars)
    assert all(model[scalar].type.ndim == 0 for scalar in large.scalars)
    assert model[large.latents].type.ndim == 1


def test_errors_are_in_standard_deviations_and_scales_by_their_logarithm() -> None:
    random = np.random.default_rng(1)
    place, log_scale = random.normal(size=(2, 4, 5000))
    latents = random.normal(size=(4, 5000, 3))
    right = {"place": place, "scale": np.exp(0.1 * log_scale), "u": latents}
    found = {
        "place": place + 0.3, "scale": np.exp(0.1 * (1.5 * log_scale - 0.2)), "u": latents * 1.1
    }  # fmt: skip
    errors = compared(found, right, Large(lambda: None, ("place", "scale"), "u"))  # pyright: ignore[reportArgumentType]
    assert errors["mean"] == pytest.approx(0.3, abs=0.02)
    assert errors["log_sd"] == pytest.approx(np.log(1.5), abs=1e-6)
    assert errors["latent_log_sd"] == pytest.approx(np.log(1.1), abs=1e-6)
    assert errors["effective"] == pytest.approx(20_000, rel=0.1)
    assert errors["noise"] == pytest.approx(1 / np.sqrt(20_000), rel=0.1)
