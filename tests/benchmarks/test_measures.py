"""The measures see what is wrong, and only that."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytest

from benchmarks.measures import NotFiniteDrawsError, elbo_and_khat, errors
from benchmarks.methods import Fitted, Method
from benchmarks.methods.base import DRAWS
from benchmarks.posteriors import POSTERIORS
from benchmarks.proving.records import NOT_FINITE, OK, Record
from benchmarks.proving.worker import work
from benchmarks.quantities import quantities
from benchmarks.references import load

NAMES = ["gaussian_100", "mixture", "bounded"]
# Five standard errors of the mean of 4000 draws, and of the logarithm of their sd where tails are
# no heavier than a normal's.
NOISE = 5.0 / np.sqrt(DRAWS)


def exact(name: str, seed: int) -> np.ndarray:
    posterior = POSTERIORS[name]
    assert posterior.exact is not None
    return quantities(posterior, posterior.exact(np.random.default_rng(seed), DRAWS)).values


def bent(shift: float, factor: float) -> Method:
    """A method whose draws are the exact ones, moved by `shift` sd and stretched."""

    def fit(model: pm.Model, seed: int) -> Fitted:
        reference = load(POSTERIORS["gaussian_100"])
        x = exact("gaussian_100", seed) - reference.mean
        return Fitted({"x": reference.mean + factor * x + shift * reference.sd})

    return Method("test-bent", "", lambda: None, fit)


def record(method: Method) -> Record:
    told: dict[str, object] = {}
    work(method, POSTERIORS["gaussian_100"], [1], 0.0, 0.0, told.update)
    return Record("gaussian_100", method.name, **told)  # pyright: ignore


def test_further_seeds_are_measured_and_timed_as_second_fits() -> None:
    told: list[Mapping[str, Any]] = []
    work(bent(0.0, 1.0), POSTERIORS["gaussian_100"], [0, 1], 0.0, 0.0, told.append)
    assert [line["seed"] for line in told] == [0, 1]
    assert "seconds" in told[0]
    assert "seconds" not in told[1]
    assert told[1]["second_seconds"] > 0.0
    assert told[1]["errors"]["mean_max"] < 0.1


@pytest.mark.parametrize("name", NAMES)
def test_exact_draws_have_the_errors_of_their_number(name: str) -> None:
    found = errors(load(POSTERIORS[name]), exact(name, 1))
    assert found.mean_max < NOISE
    assert found.log_sd_max < NOISE
    assert found.wasserstein_max < 2 * NOISE


def test_a_right_method_passes() -> None:
    assert record(bent(0.0, 1.0)).status == OK
    assert record(bent(0.0, 1.0)).errors["mean_max"] < NOISE


def test_a_method_whose_scale_is_wrong_by_two_is_caught() -> None:
    found = record(bent(0.0, 2.0)).errors
    assert found["log_sd_mean"] == pytest.approx(np.log(2.0), abs=NOISE)
    assert found["log_sd_max"] > 0.6
    # Between N(0, 1) and N(0, 4): E|z|, less what the outer hundredths hold.
    assert found["wasserstein_mean"] == pytest.approx(np.sqrt(2 / np.pi), abs=0.05)
    assert found["mean_max"] < 2 * NOISE


def test_a_method_whose_mean_is_off_by_one_sd_is_caught() -> None:
    found = record(bent(1.0, 1.0)).errors
    assert found["mean_mean"] == pytest.approx(1.0, abs=NOISE)
    assert found["wasserstein_mean"] == pytest.approx(1.0, abs=NOISE)
    assert found["log_sd_max"] < NOISE


def test_a_missing_mode_is_caught() -> None:
    reference, drawn = load(POSTERIORS["mixture"]), exact("mixture", 1)
    found = errors(reference, drawn[drawn[:, 0] > 0])
    assert found.mean_max > 0.5
    assert found.log_sd_max > 0.5


def test_draws_that_are_not_finite_are_a_failure() -> None:
    assert record(bent(np.nan, 1.0)).status == NOT_FINITE
    with pytest.raises(NotFiniteDrawsError, match="as of x\\[0\\]"):
        errors(load(POSTERIORS["gaussian_100"]), np.full((10, 100), np.inf))


def test_a_collapsed_scale_stays_finite() -> None:
    reference = load(POSTERIORS["gaussian_100"])
    assert np.isfinite(errors(reference, np.tile(reference.mean, (10, 1))).log_sd_max)


def test_draws_of_another_posterior_are_refused() -> None:
    with pytest.raises(ValueError, match="made for this posterior"):
        errors(load(POSTERIORS["gaussian_100"]), exact("mixture", 1))


def log_weights(sd: float) -> np.ndarray:
    """Weights of a standard normal in five dimensions, drawn from one of another scale."""
    z = sd * np.random.default_rng(0).normal(size=(DRAWS, 5))
    return (-0.5 * z**2 + 0.5 * (z / sd) ** 2 + np.log(sd)).sum(axis=1)


def test_elbo_is_minus_the_divergence() -> None:
    elbo, _ = elbo_and_khat(log_weights(0.8))
    divergence = 5 * (0.32 - 0.5 - np.log(0.8))
    assert elbo == pytest.approx(-divergence, abs=0.05)


def test_khat_tells_a_narrow_q_from_a_wide_one() -> None:
    narrow, wide = elbo_and_khat(log_weights(0.4))[1], elbo_and_khat(log_weights(1.3))[1]
    assert narrow is not None
    assert wide is not None
    assert narrow > 0.7 > 0.5 > wide


def test_weights_that_are_not_finite_have_no_elbo() -> None:
    assert elbo_and_khat(np.array([0.0, np.nan])) == (None, None)
    elbo, khat = elbo_and_khat(np.append(log_weights(0.8), -np.inf))
    assert elbo is None
    assert khat is not None
