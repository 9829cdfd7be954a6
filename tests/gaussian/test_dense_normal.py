"""Dense Gaussians on the host."""

import numpy as np
import pytest

from taut.gaussian import DenseNormal, as_dense
from taut.gaussian.dense import cholesky, triangle


def test_a_matrix_that_is_not_positive_definite_is_lifted() -> None:
    factor = cholesky(np.array([[1.0, 2.0], [2.0, 1.0]]))
    values = np.linalg.eigvalsh(factor @ factor.T)
    assert values[0] > 0
    assert values[1] == pytest.approx(3.0)


def test_a_triangle_keeps_what_the_covariance_loses() -> None:
    """At a condition number of 1e20 the product has no Cholesky factor; its root has."""
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0]
    root = axes * np.geomspace(1e-5, 1e5, 6)
    found = as_dense(DenseNormal(np.zeros(6), root)).root
    assert np.array_equal(found, np.tril(found))
    # The product of the pivots is the determinant, 1.
    assert np.log(np.diag(found)).sum() == pytest.approx(0.0, abs=1e-6)


def test_a_triangle_of_a_triangle_is_itself_to_the_last_bit() -> None:
    normal = DenseNormal.of(np.zeros(4), np.eye(4) + 0.5)
    np.testing.assert_array_equal(triangle(normal.root.T), normal.root)
    assert normal.triangular() is normal


def test_a_change_within_a_basis_is_that_of_the_whole_noise() -> None:
    """Its log determinant is kept rather than computed again."""
    rng = np.random.default_rng(1)
    normal = DenseNormal(rng.normal(size=5), rng.normal(size=(5, 5)))
    basis = np.linalg.qr(rng.normal(size=(5, 2)))[0]
    step, root = rng.normal(size=2), rng.normal(size=(2, 2))
    changed = normal.changed(basis, step, root)
    whole = normal.changed(None, basis @ step, np.eye(5) + basis @ (root - np.eye(2)) @ basis.T)
    np.testing.assert_allclose(changed.mean, whole.mean)
    np.testing.assert_allclose(changed.root, whole.root, atol=1e-12)
    expected = np.linalg.slogdet(changed.root)[1]
    assert changed.log_det == pytest.approx(expected)
    assert whole.log_det == pytest.approx(expected)
