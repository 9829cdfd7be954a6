"""Matching within the form, against the dense objective and against Gaussians of the form."""

import numpy as np
import pytest

from taut.gaussian import LowRankNormal
from taut.matching.low_rank import ScoreBatch
from taut.matching.low_rank_exact import _Form, _Objective, match_form

pytestmark = pytest.mark.statistical


def low_rank(dim: int, rank: int, seed: int) -> LowRankNormal:
    """A member with directions as large as the diagonal."""
    rng = np.random.default_rng(seed)
    return LowRankNormal(
        rng.normal(size=dim), np.exp(rng.normal(size=dim)), 2 * rng.normal(size=(dim, rank))
    )


def covariance(q: LowRankNormal) -> np.ndarray:
    return np.diag(q.diagonal) + q.factor @ q.factor.T


def batch_of(q: LowRankNormal, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise, and gradients of nothing in particular."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(draws, q.noise_size)), rng.normal(size=(draws, len(q.mean)))


def test_the_objective_is_the_dense_one() -> None:
    q, other, strength = low_rank(6, 2, seed=1), low_rank(6, 2, seed=2), 5.0
    batch = ScoreBatch.of(q, *batch_of(q, 4, seed=3), strength)
    form, at = _Form.around(other.diagonal, other.factor)
    found, _ = _Objective(form, q.diagonal, batch, 1.0)(at)
    u, v = batch.pulled @ batch.pulled.T, np.diag(q.diagonal) + batch.plus @ batch.plus.T
    cov = covariance(other)
    dense = np.trace(cov @ u) + np.trace(np.linalg.solve(cov, v)) + np.linalg.slogdet(cov)[1]
    assert found == pytest.approx(dense)


def test_its_gradient_is_that_of_differences() -> None:
    q, other, rng = low_rank(6, 2, seed=1), low_rank(6, 2, seed=2), np.random.default_rng(4)
    batch = ScoreBatch.of(q, *batch_of(q, 4, seed=3), 5.0)
    form, at = _Form.around(other.diagonal, other.factor)
    objective = _Objective(form, q.diagonal, batch, 6.0)
    at = at + 0.1 * rng.normal(size=len(at))
    slope, small = objective(at)[1], 1e-6
    for i in range(len(at)):
        step = small * (np.arange(len(at)) == i)
        difference = (objective(at + step)[0] - objective(at - step)[0]) / (2 * small)
        assert slope[i] == pytest.approx(difference, rel=1e-6, abs=1e-6)


def test_parameters_of_a_form_begin_where_it_is_around() -> None:
    q = low_rank(7, 3, seed=5)
    diagonal, factor = (lambda form, at: form.at(at))(*_Form.around(q.diagonal, q.factor))
    np.testing.assert_allclose(diagonal, q.diagonal)
    np.testing.assert_allclose(factor @ factor.T, q.factor @ q.factor.T)


def test_a_match_has_no_slope_left() -> None:
    """At the minimum of the objective its dense derivative is orthogonal to the form."""
    q, strength = low_rank(12, 2, seed=6), 5.0
    noise, slopes = batch_of(q, 16, seed=7)
    new, batch = match_form(q, noise, slopes, strength), ScoreBatch.of(q, noise, slopes, strength)
    u, v = batch.pulled @ batch.pulled.T, np.diag(q.diagonal) + batch.plus @ batch.plus.T
    inverse = np.linalg.inv(covariance(new))
    left = u - inverse @ v @ inverse + inverse
    # L-BFGS ends at slopes of a hundred-thousandth of where it began, in units of the variances.
    scale = np.abs(np.diag(u)).max()
    np.testing.assert_allclose(np.diag(left) * new.diagonal, 0.0, atol=1e-3)
    np.testing.assert_allclose(left @ new.factor, 0.0, atol=1e-3 * scale)
    mean = (q.mean + strength * (batch.z_mean + covariance(new) @ batch.slope)) / (1 + strength)
    np.testing.assert_allclose(new.mean, mean)


@pytest.mark.parametrize("rank", [1, 3])
def test_a_gaussian_of_the_form_is_found_by_one_batch(rank: int) -> None:
    """What holds the match back has a weight of 1e-9, and L-BFGS begins within a tenth."""
    true, rng = low_rank(40, rank, seed=8), np.random.default_rng(9)
    diagonal = true.diagonal * np.exp(0.1 * rng.normal(size=40))
    factor = true.factor * (1.0 + 0.1 * rng.normal(size=true.factor.shape))
    q = LowRankNormal(true.mean + 0.1 * rng.normal(size=40), diagonal, factor)
    noise = rng.normal(size=(32, q.noise_size))
    slopes = -np.linalg.solve(covariance(true), (q.push(noise)[0] - true.mean).T).T
    new = match_form(q, noise, slopes, 1e9)
    std = np.sqrt(np.diag(covariance(true)))
    np.testing.assert_allclose((new.mean - true.mean) / std, 0.0, atol=1e-3)
    far = (covariance(new) - covariance(true)) / np.outer(std, std)
    np.testing.assert_allclose(far, 0.0, atol=1e-3)


def test_a_gaussian_of_the_form_stays_where_it_is() -> None:
    """At the posterior itself every batch has the scores of q, and nothing moves."""
    q, rng = low_rank(40, 3, seed=4), np.random.default_rng(5)
    noise = rng.normal(size=(32, q.noise_size))
    slopes = -np.linalg.solve(covariance(q), (q.push(noise)[0] - q.mean).T).T
    new = match_form(q, noise, slopes, 10.0)
    np.testing.assert_allclose(new.mean, q.mean, atol=1e-6)
    np.testing.assert_allclose(covariance(new), covariance(q), atol=1e-5)
