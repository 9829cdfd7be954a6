"""Gaussians on the host agree with SciPy, and with the families they become."""

import numpy as np
import pytest
import scipy.stats

from taut.gaussian import Dense, Normal, Structured
from taut.gaussian import structured as of_factor
from taut.gaussian.normal import cholesky


def dense() -> Dense:
    rng = np.random.default_rng(1)
    half = rng.normal(size=(4, 4))
    return Dense.of(rng.normal(size=4), half @ half.T + np.eye(4))


def structured() -> Structured:
    rng = np.random.default_rng(2)
    directions = np.linalg.qr(rng.normal(size=(4, 2)))[0]
    return Structured(
        rng.normal(size=4), np.exp(rng.normal(size=4)), directions, np.array([3.0, 0.2])
    )


NORMALS = {"dense": dense, "structured": structured}


def covariance(normal: Normal) -> np.ndarray:
    root = normal.colour(np.eye(4))
    return root.T @ root


@pytest.mark.parametrize("name", NORMALS)
def test_the_density_is_scipys(name: str) -> None:
    normal = NORMALS[name]()
    z, log_q = normal.draw(np.random.default_rng(0), 6)
    expected = scipy.stats.multivariate_normal(normal.mean, covariance(normal)).logpdf(z)
    np.testing.assert_allclose(log_q, expected, rtol=1e-9)
    np.testing.assert_allclose(normal.log_prob(z), expected, rtol=1e-9)


@pytest.mark.parametrize("name", NORMALS)
def test_whitening_undoes_colouring_and_pulling_is_its_transpose(name: str) -> None:
    normal, rng = NORMALS[name](), np.random.default_rng(0)
    x, slopes = rng.normal(size=(5, 4)), rng.normal(size=(5, 4))
    np.testing.assert_allclose(normal.whiten(normal.mean + normal.colour(x)), x, atol=1e-12)
    np.testing.assert_allclose(
        (normal.colour(x) * slopes).sum(axis=1), (x * normal.pull(slopes)).sum(axis=1)
    )


@pytest.mark.parametrize("name", NORMALS)
def test_the_family_is_the_same_gaussian(name: str) -> None:
    normal = NORMALS[name]()
    family = normal.family("float32")
    np.testing.assert_allclose(family.mean(), normal.mean, rtol=1e-5)
    np.testing.assert_allclose(family.cov(), covariance(normal), rtol=2e-4, atol=1e-5)
    np.testing.assert_allclose(normal.std, np.sqrt(np.diag(covariance(normal))))


@pytest.mark.parametrize("name", NORMALS)
def test_moving_changes_means_and_spreads_and_no_correlation(name: str) -> None:
    normal = NORMALS[name]()
    mean, factor = np.arange(4.0), np.array([0.5, 1.0, 2.0, 1.1])
    moved = normal.moved(mean, factor)
    np.testing.assert_array_equal(moved.mean, mean)
    np.testing.assert_allclose(covariance(moved), np.outer(factor, factor) * covariance(normal))


def test_structured_written_out_is_the_same() -> None:
    normal = structured()
    np.testing.assert_allclose(normal.dense().cov, covariance(normal), atol=1e-12)


def test_a_matrix_that_is_not_positive_definite_is_lifted() -> None:
    factor = cholesky(np.array([[1.0, 2.0], [2.0, 1.0]]))
    values = np.linalg.eigvalsh(factor @ factor.T)
    assert values[0] > 0
    assert values[1] == pytest.approx(3.0)


def test_a_diagonal_plus_directions_is_one_of_this_form() -> None:
    rng = np.random.default_rng(3)
    diagonal, factor = np.exp(rng.normal(size=4)), rng.normal(size=(4, 2))
    normal = of_factor(np.zeros(4), diagonal, factor)
    np.testing.assert_allclose(covariance(normal), np.diag(diagonal) + factor @ factor.T)
