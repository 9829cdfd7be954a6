"""Quasi-Newton paths, and the Gaussians along them."""

import jax.numpy as jnp
import numpy as np
import pytest

import taut
from cases import regression
from taut.engine import Timing
from taut.gradients import BLOCK, Gradients
from taut.modes import ascend, best_of_paths, laplace_at
from taut.modes.inverse_hessian import Curvature
from taut.modes.path_gaussians import gaussians_at
from taut.target import Space

pytestmark = pytest.mark.statistical


def rosenbrock() -> taut.Target:
    def terms(z, data, batch):
        return -jnp.sum(100 * (z[1:] - z[:-1] ** 2) ** 2 + (1 - z[:-1]) ** 2), 0.0

    return taut.Target(terms, Space.of({"z": (4,)}))


def test_paths_come_to_the_mode_along_a_bent_valley() -> None:
    starts = np.random.default_rng(0).uniform(-2, 2, (6, 4))
    paths = ascend(Gradients(rosenbrock(), Timing()), starts)
    tops = np.stack([path[-1].position for path in paths])
    # The function has a lesser mode near (-1, 1, 1, 1).
    at_top = np.abs(tops - 1).max(axis=1) < 1e-3
    assert at_top.sum() >= 4
    for path in paths:
        assert np.all(np.diff([point.value for point in path]) >= 0)


def test_a_start_without_a_density_is_a_path_without_points() -> None:
    starts = np.zeros((2, 5))
    starts[0] = np.nan
    paths = ascend(Gradients(regression(5).target(), Timing()), starts)
    assert [len(path) > 0 for path in paths] == [False, True]


def test_paths_are_advanced_by_the_same_calls() -> None:
    """Eight paths take about as many blocks of gradients as the longest alone."""
    timing = Timing()
    target = regression(5).target()
    gradients = Gradients(target, timing)
    paths = ascend(gradients, np.random.default_rng(0).normal(size=(8, 5)))
    longest = max(len(path) for path in paths)
    assert gradients.count <= 8 * 3 * longest
    assert target.programs.count == 1


def test_the_two_loops_are_the_inverse_hessian_of_the_pairs() -> None:
    """On a quadratic the product with a remembered change gives back its step (secant)."""
    rng = np.random.default_rng(0)
    half = rng.normal(size=(5, 5))
    hessian, curvature = half @ half.T + np.eye(5), Curvature(np.ones(5))
    for _ in range(4):
        step = rng.normal(size=5)
        curvature = curvature.after(curvature.diagonal, step, hessian @ step)
    np.testing.assert_allclose(curvature.times(hessian @ step), step, rtol=1e-9)


def test_a_gaussian_along_the_path_is_the_quasi_newton_one() -> None:
    """Mean and covariance are a step with the inverse Hessian, and that matrix."""
    paths = ascend(Gradients(regression(5).target(), Timing()), np.ones((1, 5)))
    point = paths[0][4]
    normal = gaussians_at([point])[0]
    assert normal is not None
    root = normal.color(np.eye(5))
    inverse = root.T @ root
    np.testing.assert_allclose(normal.mean, point.position + inverse @ point.slope, rtol=1e-6)
    step, change = point.curvature.pairs[-1]
    np.testing.assert_allclose(inverse @ change, step, rtol=1e-6)


def test_the_best_gaussian_of_a_path_is_near_a_gaussian_posterior() -> None:
    """Of eight paths in 2 dimensions, where the memory holds the whole Hessian."""
    model, random = regression(2), np.random.default_rng(1)
    gradients = Gradients(model.target(), Timing())
    best = best_of_paths(gradients, ascend(gradients, random.normal(size=(8, 2))), random)[0]
    std = np.sqrt(np.diag(model.posterior_cov))
    assert np.abs((best.normal.mean - model.posterior_mean) / std).max() < 0.1
    np.testing.assert_allclose(best.normal.std / std, 1.0, atol=0.2)


def test_paths_without_points_have_no_gaussian() -> None:
    gradients = Gradients(regression(2).target(), Timing())
    assert best_of_paths(gradients, [[], []], np.random.default_rng(0)) == []


@pytest.mark.parametrize("dim", [1, 5, BLOCK + 3])
def test_the_curvature_at_the_mode_is_exact_on_gaussians(dim: int) -> None:
    model = regression(dim, rows=2 * dim)
    scale = 3.0 * np.sqrt(np.diag(model.posterior_cov))
    found = laplace_at(Gradients(model.target(), Timing()), model.posterior_mean, scale)
    assert found is not None
    np.testing.assert_allclose(found.cov, model.posterior_cov, rtol=1e-5, atol=1e-8)


def test_a_flat_direction_has_no_curvature() -> None:
    target = taut.Target(lambda z, data, batch: (-(z[0] ** 2), 0.0), Space.of({"z": (2,)}))
    assert laplace_at(Gradients(target, Timing()), np.zeros(2), np.ones(2)) is None


def test_a_path_that_begins_at_the_mode_learns_its_curvature() -> None:
    model = regression(2)
    gradients = Gradients(model.target(), Timing())
    paths = ascend(gradients, model.posterior_mean[None])
    normal = gaussians_at([paths[0][-1]])[0]
    assert normal is not None
    np.testing.assert_allclose(normal.std, np.sqrt(np.diag(model.posterior_cov)), rtol=0.5)
