"""Groups within regions: those by quadrature, these by points, against sums over grids."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy
from jaxtyping import Array

from taut.marginal import CornerPoints, Integrand
from taut.structure import read_structure, reader
from taut.target import Factors, Space, Target

REGIONS, EACH, ROWS = 12, 5, 3
REGION = np.repeat(np.arange(REGIONS), EACH)
GROUP = np.repeat(np.arange(REGIONS * EACH), ROWS)
BINARY = np.random.default_rng(0).binomial(1, 0.7, len(GROUP))
THETA = np.array([0.3, -0.2, 0.1])


@pytest.fixture(autouse=True)
def _double(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(reader, "_ALL_GLOBALS", 5)
    with jax.enable_x64(True):
        yield


def factors(z: Array) -> tuple[Array, ...]:
    of_group, theta, of_region = jnp.split(z, [REGIONS * EACH, REGIONS * EACH + 3])
    eta = of_group[GROUP]
    log_normal = lambda x, mean, sd: jax.scipy.stats.norm.logpdf(x, mean, sd)  # noqa: E731
    return (
        log_normal(of_group, of_region[REGION], jnp.exp(theta[1])),
        log_normal(of_region, theta[0], jnp.exp(theta[2])),
        BINARY * eta - jnp.logaddexp(0.0, eta),
        log_normal(theta, 0.0, 1.0),
    )


@pytest.fixture
def integrand() -> Integrand:
    shapes = {"group": (REGIONS * EACH,), "theta": (3,), "region": (REGIONS,)}

    def both(z: Array, data: object, batch: object) -> tuple[Array, float]:
        return jnp.asarray(sum(one.sum() for one in factors(z))), 0.0

    target = Target(both, Space.of(shapes), factors=Factors(factors))
    start = np.zeros(target.dim)
    structure = read_structure(target, target.factors, start, np.random.default_rng(1))
    return Integrand(target, target.factors, structure, start, None)


def exact() -> tuple[float, np.ndarray, np.ndarray]:
    """Log integral, means and variances of groups and then regions, by two grids."""
    grid = np.linspace(-8.0, 8.0, 801)
    step = grid[1] - grid[0]
    ones = BINARY.reshape(-1, ROWS).sum(axis=1)
    rows = ones[:, None] * grid - ROWS * np.logaddexp(0.0, grid)
    prior = scipy.stats.norm.logpdf(grid, grid[:, None], np.exp(THETA[1]))
    # Of each group, for each effect of its region.
    joint = np.exp(rows[:, None] + prior) * step
    inner = joint.sum(axis=2)
    of_region = scipy.stats.norm.logpdf(grid, THETA[0], np.exp(THETA[2]))
    log_p = np.log(inner).reshape(REGIONS, EACH, -1).sum(axis=1) + of_region
    level = scipy.special.logsumexp(log_p, axis=1) + np.log(step)
    share = np.exp(log_p - level[:, None]) * step
    each = share[REGION][:, :, None] * joint / inner[:, :, None]
    both = np.concatenate([each.sum(axis=1), share])
    mean = both @ grid
    value = level.sum() + scipy.stats.norm.logpdf(THETA).sum()
    return float(value), mean, both @ grid**2 - mean**2


def test_integral_and_moments_are_those_of_grids(integrand: Integrand) -> None:
    points = CornerPoints(integrand, np.random.default_rng(0))
    assert CornerPoints.suit(integrand)
    mode = integrand(THETA).mean
    given = points.nearest(THETA, mode)
    integral = points.near(given)
    found = [integral(THETA, given.mean) for _ in range(200)]
    value, mean, variances = exact()
    means = np.array([one.mean for one in found])
    # Four points know the logarithm of the integral to some 0.1, and 200 times as many a mean to
    # 0.02 sd.
    assert np.mean([one.value for one in found]) == pytest.approx(value, abs=0.05)
    np.testing.assert_array_less(np.abs(means.mean(axis=0) - mean) / np.sqrt(variances), 0.05)
    spread = np.array([one.variances for one in found]).mean(axis=0)
    np.testing.assert_allclose(spread, variances, rtol=0.08)
    # Laplace's mode is further off than that.
    assert np.abs((mode - mean) / np.sqrt(variances)).max() > 0.15


def test_twice_the_nodes_are_of_the_same_points(integrand: Integrand) -> None:
    points = CornerPoints(integrand, np.random.default_rng(0))
    mode = integrand(THETA).mean
    few, many = points.with_twice_the_nodes(THETA, mode)
    assert few.value == pytest.approx(many.value, abs=1e-3)
    assert few.value != many.value
    assert points.refine()
    again, _ = points.with_twice_the_nodes(THETA, mode)
    assert again.value == pytest.approx(many.value, abs=0.5)


def test_points_are_even_far_from_the_mode_of_the_globals(integrand: Integrand) -> None:
    points = CornerPoints(integrand, np.random.default_rng(0))
    theta = np.array([2.0, 1.0, -1.0])
    assert points.variance(theta, integrand(theta).mean) < 0.3
