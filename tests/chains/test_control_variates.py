"""Control variates: exact for Gaussians, and never worse than the draws alone."""

from collections.abc import Callable

import numpy as np
import pytest

from cases import regression
from taut.chains import Chains, Linear
from taut.chains.control_variates import Correction, Said, Tally
from taut.engine import Timing
from taut.gaussian import Structured
from taut.gradients import Gradients

pytestmark = pytest.mark.statistical

Points = np.ndarray


def identity(dim: int) -> Linear:
    return Linear(Structured.diagonal(np.zeros(dim), np.ones(dim)))


def said(x: Points, slopes: Points, chains: int = 10) -> Said:
    """Count draws in as so many chains do."""
    tally = Tally(chains, x.shape[1])
    shape = (-1, chains, x.shape[1])
    for some, theirs in zip(x.reshape(shape), slopes.reshape(shape), strict=True):
        tally.add(some, theirs)
    return tally.said(identity(x.shape[1]))


def corrected(x: Points, slopes: Points) -> Correction:
    return said(x, slopes).correction


def test_draws_of_a_gaussian_get_its_mean() -> None:
    """Draws from a little beside it: the gradients tell where the Gaussian is."""
    mean, std = np.array([0.5, -1.0, 0.0]), np.array([1.0, 0.3, 2.0])
    x = np.random.default_rng(0).normal(mean + 0.1 * std, std, (50, 3))
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
    np.testing.assert_allclose(corrected(x, 0.1 - x).posterior_mean, 0.1)
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


JUMPS = {
    # Slopes, mean and standard deviation of densities whose mean slope is not zero.
    "half normal": (lambda x: -x, lambda r, n: np.abs(r.normal(size=n)), 0.798, 0.603),
    "uniform": (np.zeros_like, lambda r, n: r.uniform(-1.0, 3.0, n), 1.0, 1.155),
    "exponential": (lambda x: -np.ones_like(x), lambda r, n: r.exponential(size=n), 1.0, 1.0),
    # The mean slope is zero, and that of the product is not -1.
    "uniform around 0": (np.zeros_like, lambda r, n: r.uniform(-1.0, 1.0, n), 0.0, 0.577),
}


@pytest.mark.parametrize("name", JUMPS)
def test_draws_of_a_density_with_an_edge_are_left_alone(name: str) -> None:
    """64 x 30 exact draws of a jump's side, where the identities do not hold."""
    slopes, draw, mean, std = JUMPS[name]
    x = draw(np.random.default_rng(5), 64 * 30)[:, None]
    found = said(x, slopes(x), chains=64)
    assert not found.holds
    np.testing.assert_array_equal(found.correction(x), x)
    # 1 920 draws: a mean has an error of 0.023 sd; four of these.
    assert found.correction.chain_means.mean() == pytest.approx(mean, abs=0.09 * std)


@pytest.mark.parametrize("dim", [1, 20, 300])
def test_exact_draws_of_smooth_densities_are_hardly_ever_doubted(dim: int) -> None:
    """Twenty windows of each: a statistic of 63 degrees of freedom exceeds 5 once in 200 000."""
    random = np.random.default_rng(7)
    for slopes, draw in ((_gamma, lambda r, n: np.log(r.gamma(3.0, size=n))), (np.negative, _one)):
        doubted = 0
        for _ in range(20):
            x = draw(random, 64 * 20 * dim).reshape(-1, dim)
            doubted += not said(x, slopes(x), chains=64).holds
        assert doubted <= 1


def _one(random: np.random.Generator, n: int) -> Points:
    return random.normal(size=n)


def test_chains_that_have_not_settled_are_not_corrected() -> None:
    """Draws three standard deviations beside the posterior: no noise of draws of the posterior."""
    x = np.random.default_rng(0).normal(3.0, 0.1, (64 * 20, 1))
    found = said(x, 1.0 - np.exp(x), chains=64)
    assert not found.holds
    assert found.moves.max() > 0.2
    np.testing.assert_array_equal(found.correction(x), x)
