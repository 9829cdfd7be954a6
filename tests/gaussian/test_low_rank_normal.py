"""Gaussians on the host with a diagonal and a few directions."""

import numpy as np

from cases import low_rank_normal


def test_a_square_root_of_it_has_the_same_covariance() -> None:
    normal = low_rank_normal(5)
    square = normal.squared()
    assert square.noise_size == 5
    cov = normal.color(normal.pull(np.eye(5)))
    np.testing.assert_allclose(square.color(square.pull(np.eye(5))), cov)


def test_a_product_with_the_covariance_is_the_written_out_one() -> None:
    normal, vector = low_rank_normal(5), np.arange(5.0)
    cov = np.diag(normal.diagonal) + normal.factor @ normal.factor.T
    np.testing.assert_allclose(normal.times(vector), cov @ vector)
