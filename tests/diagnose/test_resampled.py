"""Weighted draws that are the result: each bound, just inside and just outside."""

from typing import Any

import numpy as np
import pytest

from diagnose.windows import ONE, window
from taut.diagnose import ImportanceWeights, Moments, Outcome, Resampled


def resampled(**changes: float) -> Resampled:
    """Make weighted draws of a standard normal, with any figure that a criterion looks at."""
    figures = {"khat": 0.2, "mean": 0.0, "std": 1.0, "noise": 0.02, "log_std_noise": 0.02} | changes
    weights = ImportanceWeights(np.log(np.full(8, 1 / 8)), figures.pop("khat"), 0.1, 8.0)
    moments = Moments(**{name: np.array([value]) for name, value in figures.items()})
    return Resampled(np.zeros((8, 1)), weights, moments)


@pytest.mark.parametrize(
    ("inside", "outside", "criterion"),
    [
        ({"khat": 0.49}, {"khat": 0.51}, "khat"),
        ({"noise": 300**-0.5 * 0.99}, {"noise": 300**-0.5 * 1.01}, "effective"),
        ({"log_std_noise": 300**-0.5 * 0.99}, {"log_std_noise": 300**-0.5 * 1.01},
         "effective_spread"),
        ({"mean": 0.08}, {"mean": -0.15}, "mean_shift"),
        ({"std": 1.09}, {"std": 1.2}, "log_sd_shift"),
    ],
)  # fmt: skip
def test_each_bound_decides(inside: Any, outside: Any, criterion: str) -> None:
    assert resampled(**inside).outcome(window(), ONE) == (Outcome.RESAMPLED, ())
    outcome, wrong = resampled(**outside).outcome(window(), ONE)
    assert outcome is Outcome.UNCONFIRMED
    assert criterion in {finding.criterion for finding in wrong}


@pytest.mark.parametrize("figures", [{"draws_each": 2.2}, {"divergent": 0.003}, {"stuck": 0.1,
                                     "acceptance": 0.01}])  # fmt: skip
def test_chains_that_are_no_judge_confirm_nothing(figures: Any) -> None:
    assert resampled().outcome(window(**figures), ONE)[0] is Outcome.UNCONFIRMED


def test_moments_are_those_of_the_density_that_is_weighed() -> None:
    """Draws of a wider Gaussian, weighed by a standard normal around 1."""
    z = 2.0 * np.random.default_rng(1).normal(size=(20_000, 1))
    log_ratios = -0.5 * (z[:, 0] - 1.0) ** 2 + 0.125 * z[:, 0] ** 2
    found = Resampled.of(z, log_ratios)
    assert found is not None
    for value, known, noise in (
        (found.moments.mean, 1.0, found.moments.noise),
        (np.log(found.moments.std), 0.0, found.moments.log_std_noise),
    ):
        assert abs(value[0] - known) < 4.0 * noise[0]
        assert noise[0] < 0.03


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_no_weights_are_made_of_what_is_no_number(bad: float) -> None:
    assert Resampled.of(np.zeros((5, 1)), np.full(5, bad)) is None
