"""Control variates: exact for Gaussians, and never worse than the draws alone."""

from collections.abc import Callable

import numpy as np
import pytest

from cases import regression
from taut.chains import Chains
from taut.compilation import Timing
from taut.control_variates import Correction, Tally
from taut.coordinates import Linear
from taut.gradients import Gradients
from taut.normal import Structured

pytestmark = pytest.mark.statistical

Points = np.ndarray


def identity(dim: int) -> Linear:
    return Linear(Structured.diagonal(np.zeros(dim), np.ones(dim)))


def corrected(x: Points, slopes: Points) -> Correction:
    """Count draws in as ten chains do."""
    tally = Tally(10, x.shape[1])
    for some, theirs in zip(
        x.reshape(-1, 10, x.shape[1]), slopes.reshape(-1, 10, x.shape[1]), strict=True
    ):
        tally.add(some, theirs)
    return tally.correction(identity(x.shape[1]))


def test_draws_of_a_gaussian_get_its_mean() -> None:
    """Draws from elsewhere: the gradients tell where the Gaussian is."""
    mean, std = np.array([0.5, -1.0, 0.0]), np.array([1.0, 0.3, 2.0])
    x = np.random.default_rng(0).normal(0.4, 1.0, (50, 3))
    moved = corrected(x, (mean - x) / std**2)(x)
    np.testing.assert_allclose(moved.mean(axis=0), mean, atol=1e-12)


def test_draws_of_a_standard_gaussian_get_its_spread() -> None:
    x = np.random.default_rng(0).normal(0.1, 0.8, (50, 3))
    moved = corrected(x, -x)(x)
    np.testing.assert_allclose(moved.std(axis=0), 1.0, atol=1e-12)


def _gamma(x: Points) -> Points:
    """Of the logarithm of a gamma variable of shape 3."""
    return 3.0 - np.exp(x)


def _student(x: Points) -> Points:
    return -6.0 * x / (5.0 + x**2)


def _modes(x: Points) -> Points:
    """Of N(-2, 1) and N(2, 1)."""
    return -x + 2.0 * np.tanh(2.0 * x)


def _two(random: np.random.Generator, n: int) -> Points:
    return random.normal(size=n) + 2.0 * random.choice([-1.0, 1.0], n)


@pytest.mark.parametrize(
    ("slopes", "draw", "mean", "std", "gain"),
    [
        (_gamma, lambda r, n: np.log(r.gamma(3.0, size=n)), 0.9227843, 0.6284418, 2.0),
        (_student, lambda r, n: r.standard_t(5, n), 0.0, np.sqrt(5 / 3), 1.3),
        (_modes, _two, 0.0, np.sqrt(5.0), 0.9),
    ],
    ids=["log gamma", "t", "two modes"],
)
def test_the_error_of_the_mean_falls_without_a_bias(
    slopes: Callable[[Points], Points],
    draw: Callable[[np.random.Generator, int], Points],
    mean: float,
    std: float,
    gain: float,
) -> None:
    """300 times 200 draws: the bias is known to a 17th of the error of one mean."""
    random, plain, means, stds, errors = np.random.default_rng(3), [], [], [], []
    for _ in range(300):
        x = draw(random, 200)[:, None]
        found = corrected(x, slopes(x))
        moved = found(x)
        plain.append(x.mean() - mean)
        means.append(moved.mean() - mean)
        stds.append(moved.std())
        errors.append(found.standard_error)
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.2)
    assert np.std(means) * gain < np.std(plain)
    assert abs(np.mean(means)) < 4 * np.std(means) / np.sqrt(300) + 0.01 * std
    assert np.mean(stds) == pytest.approx(std, rel=0.03)


def test_what_is_noise_moves_no_mean() -> None:
    """Draws of a Gaussian far from the centre, and of one near it that nothing is known of."""
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 1))
    np.testing.assert_allclose(corrected(x, 0.3 - x).posterior_mean, 0.3)
    noise = corrected(x, random.normal(size=(200, 1)))
    assert abs(noise.posterior_mean[0]) < abs(noise.true_mean[0])


def test_chains_of_a_gaussian_are_exact_after_a_few_transitions() -> None:
    """Raw means of 64 x 10 draws stray by more than 0.03 sd."""
    target = regression(5)
    std = np.sqrt(np.diag(target.posterior_cov))
    random = np.random.default_rng(1)
    near = Structured.diagonal(target.posterior_mean + 0.2 * std, 1.2 * std)
    chains = Chains(
        Gradients(target.target(), Timing()), Linear(near), near.draw(random, 64)[0], random
    )
    chains.run(10)
    window = chains.run(10)
    error = window.correction(window.pooled).mean(axis=0) - target.posterior_mean
    raw = window.pooled.mean(axis=0) - target.posterior_mean
    assert np.abs(error / std).max() < 0.5 * np.abs(raw / std).max()


def test_draws_that_are_all_one_stay_where_they_are() -> None:
    x = np.ones((30, 2))
    np.testing.assert_allclose(corrected(x, np.zeros((30, 2)))(x), x)
