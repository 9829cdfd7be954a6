"""Low-rank batch and match, and Gaussian score matching, against dense closed forms."""

import numpy as np
import pytest

from taut.gaussian import DenseNormal, LowRankNormal
from taut.matching import match_draws, match_scores
from taut.matching.driver import SAME
from taut.matching.low_rank import _Signed, match_and_patch

pytestmark = pytest.mark.statistical


def low_rank(dim: int, rank: int, seed: int) -> LowRankNormal:
    """A member with directions as large as the diagonal."""
    rng = np.random.default_rng(seed)
    return LowRankNormal(
        rng.normal(size=dim), np.exp(rng.normal(size=dim)), 2 * rng.normal(size=(dim, rank))
    )


def covariance(q: LowRankNormal) -> np.ndarray:
    return np.diag(q.diagonal) + q.factor @ q.factor.T


def test_the_density_of_draws_is_the_dense_one() -> None:
    q = low_rank(6, 2, seed=1)
    z, log_q = q.push(np.random.default_rng(2).normal(size=(5, 8)))
    away, cov = z - q.mean, covariance(q)
    square = np.sum(away * np.linalg.solve(cov, away.T).T, axis=1)
    np.testing.assert_allclose(log_q, -0.5 * (square + np.linalg.slogdet(2 * np.pi * cov)[1]))
    slope = np.arange(6.0)
    assert q.squared_length(slope) == pytest.approx(slope @ cov @ slope)


def test_products_with_a_match_are_those_of_the_dense_matrix() -> None:
    rng = np.random.default_rng(3)
    own, plus, minus = np.exp(rng.normal(size=5)), rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    dense, signed = np.diag(own) + plus @ plus.T - minus @ minus.T, _Signed(own, plus, minus)
    np.testing.assert_allclose(signed.times(np.eye(5)), dense)
    np.testing.assert_allclose(signed.diagonal(), np.diag(dense))


def test_a_gaussian_of_the_form_stays_where_it_is() -> None:
    """At the posterior itself every batch has the scores of q, and nothing moves."""
    q, rng = low_rank(40, 3, seed=4), np.random.default_rng(5)
    noise = rng.normal(size=(32, q.noise_size))
    slopes = -np.linalg.solve(covariance(q), (q.push(noise)[0] - q.mean).T).T
    new = match_and_patch(q, noise, slopes, 10.0)
    np.testing.assert_allclose(new.mean, q.mean, atol=1e-8)
    np.testing.assert_allclose(covariance(new), covariance(q), atol=1e-7)


def test_two_hundred_dimensions_are_approached_in_linear_memory() -> None:
    """The last gap is a tenth of a nat in 200 dimensions, where the ELBO has settled."""
    true, rng = low_rank(200, 3, seed=6), np.random.default_rng(7)
    cov = covariance(true)
    precision, log_det = np.linalg.inv(cov), np.linalg.slogdet(2 * np.pi * cov)[1]

    def gradients(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        slopes = -(z - true.mean) @ precision
        return 0.5 * (np.sum((z - true.mean) * slopes, axis=1) - log_det), slopes

    q = LowRankNormal(np.zeros(200), np.ones(200), 0.01 * rng.normal(size=(200, 3)))
    for reached in match_scores(gradients, q, rng, 32, match_and_patch):
        q = reached.normal
    own = covariance(q)
    away = q.mean - true.mean
    gap = np.trace(precision @ own) - 200 - np.linalg.slogdet(precision @ own)[1]
    assert 0.5 * (gap + away @ precision @ away) < 0.2


def test_a_density_out_of_all_bounds_is_not_taken_for_exact() -> None:
    """Values so large that all differences are lost in rounding."""

    def gradients(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.full(len(z), -1e80), np.zeros(z.shape)

    steps = match_scores(
        gradients, low_rank(3, 1, seed=8), np.random.default_rng(9), 4, match_and_patch
    )
    why = None
    for _ in range(5000):
        try:
            next(steps)
        except StopIteration as end:
            why = end.value
            break
    assert why is not None
    assert why != SAME


def test_score_matching_takes_on_the_score_of_a_draw() -> None:
    """With one draw and the whole way gone, q has the target's score there."""
    rng = np.random.default_rng(10)
    half = rng.normal(size=(4, 4))
    q = DenseNormal.of(rng.normal(size=4), half @ half.T + np.eye(4))
    noise, slope = rng.normal(size=(1, 4)), rng.normal(size=(1, 4))
    z, new = q.push(noise)[0], match_draws(q, noise, slope, 1e14)
    np.testing.assert_allclose(-np.linalg.solve(new.cov, (z - new.mean)[0]), slope[0], rtol=1e-6)
