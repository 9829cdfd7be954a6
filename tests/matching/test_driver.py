"""Batch and match against Gaussians, on which it is exact, and against the paper's equation."""

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import pytest

from taut.gaussian import DenseNormal
from taut.matching import Matched, batch_match, draws_for, match_draws, match_scores
from taut.matching import driver as score_matching
from taut.matching.driver import SAME, match_batch

pytestmark = pytest.mark.statistical

Gradients = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def gaussian(dim: int, condition: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, Gradients]:
    """Mean, precision, and gradients of a Gaussian with the same spread of scales up and down."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    precision = (axes * condition ** np.linspace(-0.5, 0.5, dim)) @ axes.T
    mean = rng.normal(size=dim) * 3

    def gradients(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        slopes = -(z - mean) @ precision
        return 0.5 * np.sum((z - mean) * slopes, axis=1), slopes

    return mean, precision, gradients


def divergence(q: DenseNormal, mean: np.ndarray, precision: np.ndarray) -> float:
    """KL from q to a Gaussian."""
    inner, away = q.root.T @ precision @ q.root, q.mean - mean
    log_det = np.linalg.slogdet(inner)[1]
    return 0.5 * float(np.trace(inner) - len(mean) - log_det + away @ precision @ away)


def run(steps: Generator[Matched, None, str], longest: int = 1000) -> tuple[Matched, str, int]:
    """Go to the end."""
    reached: Any = None
    for count in range(longest):
        try:
            reached = next(steps)
        except StopIteration as stop:
            return reached, stop.value, count
    raise AssertionError("it does not end")


@pytest.mark.parametrize("start", ["unit", "rough", "far"])
@pytest.mark.parametrize("condition", [1e2, 1e6])
@pytest.mark.parametrize("dim", [1, 5, 50, 200])
def test_a_gaussian_is_found_exactly(dim: int, condition: float, start: str) -> None:
    """From anywhere, in a few batches, to the last digits of floating-point numbers."""
    mean, precision, gradients = gaussian(dim, condition)
    rng = np.random.default_rng(1)
    begin, cov = np.zeros(dim), np.eye(dim)
    if start == "rough":
        noise = rng.normal(size=(dim, dim))
        begin, cov = mean + rng.normal(size=dim), np.linalg.inv(precision)
        cov = cov + 0.1 * np.trace(cov) / dim**2 * noise @ noise.T
    if start == "far":
        begin = begin + 1000.0
    reached, why, iterations = run(batch_match(gradients, DenseNormal.of(begin, cov), rng))
    assert why == score_matching.SAME
    # Longest where a single wide dimension is approached from 300 of its standard deviations.
    assert iterations <= 100
    assert divergence(reached.normal, mean, precision) < 1e-9


@pytest.mark.parametrize("dim", [1, 5, 50, 100])
def test_the_average_over_draws_finds_a_gaussian_exactly_too(dim: int) -> None:
    """At a linear rate: its strength does not decay while its noise shrinks."""
    mean, precision, gradients = gaussian(dim, 1e4)
    begin, random = DenseNormal.of(np.zeros(dim), np.eye(dim)), np.random.default_rng(1)
    steps = match_scores(gradients, begin, random, 32, match_draws, holds=True)
    reached, why, count = run(steps, 3000)
    assert why == SAME
    assert divergence(reached.normal, mean, precision) < 1e-10
    # 16 a dimension were measured at 50 and at 100.
    assert count < 100 + 20 * dim


@pytest.mark.parametrize(("dim", "draws"), [(3, 8), (3, 2), (40, 8), (40, 50)])
def test_an_update_solves_the_equation_of_the_paper(dim: int, draws: int) -> None:
    """Σ U Σ + Σ = V and the mean that goes with it, in the plain coordinates."""
    rng = np.random.default_rng(2)
    half, strength = rng.normal(size=(dim, dim)), 5.0
    q = DenseNormal.of(rng.normal(size=dim), half @ half.T + np.eye(dim))
    noise, slopes = rng.normal(size=(draws, dim)), rng.normal(size=(draws, dim))
    new, z, share = match_batch(q, noise, slopes, strength), q.push(noise)[0], strength / 6.0
    away, slope = q.mean - z.mean(0), slopes.mean(0)
    u = strength * np.cov(slopes.T, ddof=0) + share * np.outer(slope, slope)
    v = q.cov + strength * np.cov(z.T, ddof=0) + share * np.outer(away, away)
    np.testing.assert_allclose(new.cov @ u @ new.cov + new.cov, v, atol=1e-9 * np.abs(v).max())
    mean = q.mean / 6.0 + share * (new.cov @ slope + z.mean(0))
    np.testing.assert_allclose(new.mean, mean, atol=1e-9 * np.abs(mean).max())
    assert new.log_det == pytest.approx(0.5 * np.linalg.slogdet(new.cov)[1])


def test_the_density_of_draws_is_that_of_the_family() -> None:
    mean, precision, gradients = gaussian(4, 10.0)
    reached, _, _ = run(
        batch_match(gradients, DenseNormal(mean, np.eye(4)), np.random.default_rng(3))
    )
    family = reached.normal.family("float32")
    z, log_q = reached.normal.push(np.random.default_rng(4).normal(size=(5, 4)))
    own = [float(family.log_prob(one.astype("float32"))) for one in z]
    np.testing.assert_allclose(own, log_q, rtol=1e-4)
    np.testing.assert_allclose(family.cov(), np.linalg.inv(precision), atol=1e-5)


def test_a_start_so_wide_that_nothing_is_finite_is_narrowed() -> None:
    mean, precision, finite = gaussian(3, 10.0)

    def gradients(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, slopes = finite(z)
        values[np.abs(z - mean).max(axis=1) > 50.0] = np.nan
        return values, slopes

    steps = batch_match(gradients, DenseNormal(mean, 1e4 * np.eye(3)), np.random.default_rng(5))
    reached, why, _ = run(steps)
    assert why == score_matching.SAME
    assert divergence(reached.normal, mean, precision) < 1e-9


def test_gradients_that_are_never_finite_end_it() -> None:
    nothing = lambda z: (np.full(len(z), np.nan), np.full(z.shape, np.nan))  # noqa: E731
    steps = batch_match(nothing, DenseNormal(np.zeros(2), np.eye(2)), np.random.default_rng(6))
    reached, why, _ = run(steps)
    assert why == score_matching.NEVER_FINITE
    assert np.isfinite(reached.normal.root).all()


def test_a_heavy_tail_leaves_a_fit_that_settles_near_the_best() -> None:
    """Student's t with 5 degrees of freedom: the best Gaussian by ELBO is found by quadrature."""
    nu, dim = 5.0, 4

    def gradients(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = -(nu + 1) / 2 * np.log1p(z**2 / nu).sum(axis=1)
        return values, -(nu + 1) * z / (nu + z**2)

    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    scales = np.linspace(0.5, 2.0, 301)

    def elbo(scale: float) -> float:
        values, _ = gradients(scale * nodes[:, None])
        return float(weights @ values + np.log(scale))

    best = max(elbo(scale) for scale in scales)
    start = DenseNormal(np.full(dim, 3.0), np.eye(dim))
    reached, why, _ = run(batch_match(gradients, start, np.random.default_rng(7)))
    std = np.sqrt(np.diag(reached.normal.cov))
    assert why == score_matching.SETTLED
    # Matching scores is not the ELBO's criterion: a few hundredths of a nat a dimension.
    assert max(best - elbo(scale) for scale in std) < 0.05
    # Means of some thousand draws.
    assert np.abs(reached.normal.mean).max() < 0.1


def test_batches_decide_a_covariance_and_fill_blocks() -> None:
    assert [draws_for(dim) for dim in (1, 30, 31, 200, 5000)] == [32, 32, 64, 224, 1024]
