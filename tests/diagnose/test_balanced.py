"""Weights at draws with heavy tails tell by how much a density is off a Gaussian."""

import numpy as np
import pytest
import scipy

from taut.diagnose import BalancedWeights, Shifted, balanced_noise, heavy_log_prob, heavy_noise

DIM, DRAWS = 3, 4096


def weighed(log_p: np.ndarray, x: np.ndarray, above: np.ndarray) -> tuple[BalancedWeights, Shifted]:
    log_q = scipy.stats.norm.logpdf(x).sum(axis=1)
    weights = BalancedWeights.of(log_p, log_q, log_q + above)
    first, second = weights.difference(x, x), weights.difference(x**2 - 1, x**2 - 1)
    return weights, Shifted.of(first, second, np.ones(x.shape[1]))


def draws() -> tuple[np.ndarray, np.ndarray]:
    x = heavy_noise(np.random.default_rng(1), DRAWS, DIM)
    log_t = heavy_log_prob((x**2).sum(axis=1), DIM)
    return x, log_t - scipy.stats.norm.logpdf(x).sum(axis=1)


def test_balanced_noise_has_the_moments_exactly() -> None:
    x = balanced_noise(np.random.default_rng(1), 64, 5)
    np.testing.assert_allclose(x.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(x.T @ x / len(x), np.eye(5), atol=1e-12)


def test_heavy_draws_are_those_of_student() -> None:
    x, above = draws()
    log_q = scipy.stats.norm.logpdf(x).sum(axis=1)
    known = scipy.stats.multivariate_t(np.zeros(DIM), np.eye(DIM), 5.0).logpdf(x)
    np.testing.assert_allclose(log_q + above, known)
    # Quasi-random quantiles are known to one in a few thousand.
    for column in x.T:
        assert np.mean(np.abs(column) > 2.571) == pytest.approx(0.05, abs=0.01)


def test_a_gaussian_that_is_right_is_so_without_noise() -> None:
    x, above = draws()
    log_p = 7.0 + scipy.stats.norm.logpdf(x).sum(axis=1)
    weights, shifted = weighed(log_p, x, above)
    assert weights.divergence == pytest.approx(0.0, abs=1e-9)
    assert weights.elbo == pytest.approx(7.0)
    # Pareto smoothing moves the largest weights a little.
    assert np.abs(shifted.mean).max() < 1e-3
    assert np.abs(shifted.log_sd).max() < 5e-3
    assert shifted.noise.max() < 1e-3


def test_heavy_tails_are_seen() -> None:
    """Of a Student distribution of 7 degrees: its sd is 1.18; draws of the Gaussian miss it."""
    x, above = draws()
    log_p = scipy.stats.multivariate_t(np.zeros(DIM), np.eye(DIM), 7.0).logpdf(x)
    weights, shifted = weighed(log_p, x, above)
    expected = 0.5 * np.log(7.0 / 5.0)
    assert np.all(np.abs(shifted.log_sd - expected) < 4 * shifted.log_sd_noise)
    assert shifted.log_sd_noise.max() < 0.05
    assert weights.divergence > 0.01


def test_a_shift_is_seen_with_its_noise() -> None:
    x, above = draws()
    log_p = scipy.stats.norm.logpdf(x, 0.3, 1.2).sum(axis=1)
    _, shifted = weighed(log_p, x, above)
    assert np.all(np.abs(shifted.mean - 0.3) < 4 * shifted.noise)
    assert np.all(np.abs(shifted.log_sd - np.log(1.2)) < 4 * shifted.log_sd_noise + 0.01)


def test_a_density_that_is_zero_somewhere_has_no_divergence() -> None:
    x, above = draws()
    log_p = np.where(x[:, 0] > -1.0, scipy.stats.norm.logpdf(x).sum(axis=1), -np.inf)
    weights, _ = weighed(log_p, x, above)
    assert weights.divergence == np.inf
    assert np.isfinite(weights.elbo)
