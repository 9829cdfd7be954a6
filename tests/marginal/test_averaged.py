"""Gaussians nearest to latents, and importance points from them, against plain quadrature."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from taut.marginal import AbstractField
from taut.marginal.averaged import Conditional, nearest, points_of
from taut.marginal.field import Local
from taut.marginal.precision import BlockPrecision

SIZE = 3
COUNTS = np.array([0.0, 1.0, 6.0])


@pytest.fixture(autouse=True)
def _double() -> object:
    with jax.enable_x64(True):
        yield


class Counts(AbstractField):
    """Poisson counts of independent latents, which are normal with a scale of exp(theta)."""

    counts: Float[Array, " size"]

    @property
    def size(self) -> int:
        return self.counts.shape[0]

    @property
    def terms(self) -> int:
        return self.size

    @property
    def parts(self) -> int:
        return self.size

    def each(self, theta: Array, u: Array) -> Array:
        prior = -0.5 * (u / jnp.exp(theta[0])) ** 2 - theta[0]
        return self.counts * u - jnp.exp(u) + prior

    def log_density(self, theta: Array, u: Array) -> Array:
        return self.each(theta, u).sum()

    def local(self, theta: Array, u: Array) -> Local:
        slope = jax.grad(lambda u: self.log_density(theta, u))(u)
        curvature = -jax.vmap(jax.grad(jax.grad(lambda u, c: c * u - jnp.exp(u))))(u, self.counts)
        blocks = (curvature + jnp.exp(-2 * theta[0]))[:, None, None]
        return Local(self.each(theta, u), jnp.zeros(()), slope, BlockPrecision(blocks))

    def trace_slope(self, theta: Array, u: Array, weights: BlockPrecision) -> tuple[Array, Array]:
        each = weights.blocks[:, 0, 0]
        return -2 * jnp.exp(-2 * theta) * each.sum(), jnp.exp(u) * each

    def place(self, theta: Array, u: Array) -> Array:
        return jnp.concatenate([theta, u])


MANY = 1000
FIELD = Counts(jnp.asarray(COUNTS))
THETA = np.array([0.3])


def noise(draws: int, seed: int, size: int = SIZE) -> np.ndarray:
    half = np.random.default_rng(seed).normal(size=(draws // 2, size))
    return np.concatenate([half, -half])


def exact(
    counts: np.ndarray = COUNTS, theta: np.ndarray = THETA
) -> tuple[float, np.ndarray, np.ndarray]:
    """Log of the integral, means and variances, by the trapezoidal rule."""
    grid = np.linspace(-9.0, 6.0, 20_001)
    log_p = counts[:, None] * grid - np.exp(grid) - 0.5 * (grid / np.exp(theta)) ** 2 - theta
    density = np.exp(log_p) * (grid[1] - grid[0])
    share = density / density.sum(1, keepdims=True)
    mean = share @ grid
    return float(np.log(density.sum(1)).sum()), mean, share @ grid**2 - mean**2


def test_mean_and_variance_of_the_nearest_gaussian_solve_its_equations() -> None:
    """E[slope] = 0 and E[curvature] = 1 / variance, in closed form: E exp(u) = exp(m + v / 2)."""
    fixed = noise(20_000, 1)
    begin = np.zeros(SIZE), np.zeros_like(fixed)
    found = nearest(FIELD, THETA, *begin, fixed, jnp.int32(30))
    mean, variance = np.asarray(found.mean), np.asarray(found.precision.variances())
    rate = np.exp(mean + variance / 2)
    # 20 000 draws know the mean of exp(u) to one in a hundred.
    np.testing.assert_allclose(COUNTS - rate - mean / np.exp(2 * THETA), 0.0, atol=0.03)
    np.testing.assert_allclose(1 / variance, rate + np.exp(-2 * THETA), rtol=0.03)


def gaussian(field: Counts, theta: np.ndarray) -> Conditional:
    fixed = noise(16, 1)
    return nearest(field, theta, np.zeros(SIZE), np.zeros_like(fixed), fixed, jnp.int32(8))


def test_weighed_points_have_the_integral_and_the_moments() -> None:
    value, mean, variances = exact()
    near = gaussian(FIELD, THETA)
    found = points_of(FIELD, THETA, near, noise(200_000, 2), jnp.asarray(value), jnp.bool_(True))
    ratios = np.asarray(found.log_ratios)
    # Weights vary by a half: 200 000 know the integral to 0.001, and moments to as many sd.
    assert np.log(np.exp(ratios).mean()) == pytest.approx(value, abs=0.01)
    std = np.sqrt(variances)
    np.testing.assert_allclose((near.mean + found.shift - mean) / std, 0.0, atol=0.02)
    square = near.precision.variances() + found.square - found.shift**2
    np.testing.assert_allclose(square / variances, 1.0, atol=0.03)


def test_cumulants_tell_how_far_a_gaussian_is() -> None:
    """A density that is normal, and Gaussians beside it and wider."""
    field = eqx.tree_at(lambda one: one.counts, FIELD, jnp.zeros(SIZE))
    # Latents with a sd of 0.05 leave nothing of the rows but exp(0) for each.
    narrow = np.full(1, -3.0)
    near = gaussian(field, narrow)
    std = np.sqrt(near.precision.variances())
    off = near._replace(mean=near.mean + 0.1 * std)
    by_cumulants = np.zeros(()), jnp.bool_(False)
    found = points_of(field, narrow, off, noise(200_000, 2), *by_cumulants)
    np.testing.assert_allclose(found.shift / std, -0.1, atol=0.01)
    values = []
    for one in (off, near):
        ratios = np.asarray(points_of(field, narrow, one, noise(2_000, 3), *by_cumulants)[0])
        values.append(ratios.mean() + 0.5 * ratios.var())
    assert values[0] == pytest.approx(values[1], abs=0.02)


def test_two_cumulants_are_enough_for_very_many_latents() -> None:
    """Points could not be weighed: logarithms of their weights have a sd of more than 2."""
    counts, theta = COUNTS + 4.0, np.log([0.4])
    many = Counts(jnp.tile(jnp.asarray(counts), MANY))
    fixed = noise(8, 1, many.size)
    begin = np.zeros(many.size), np.zeros_like(fixed)
    near = nearest(many, theta, *begin, fixed, jnp.int32(8))
    points = noise(4_000, 2, many.size)
    ratios = np.asarray(points_of(many, theta, near, points, np.zeros(()), jnp.bool_(False))[0])
    assert ratios.std() > 2.0
    # 4 000 draws know half of a variance of 7 to 0.08; the third cumulant adds another 0.07.
    exactly = MANY * exact(counts, theta)[0]
    assert ratios.mean() + 0.5 * ratios.var() == pytest.approx(exactly, abs=0.3)


def test_normal_latents_have_their_own_gaussian_whatever_the_draws() -> None:
    """A prior of sd 0.05 leaves little of the rows: given it, latents are normal to 1e-3."""
    field = eqx.tree_at(lambda one: one.counts, FIELD, jnp.zeros(SIZE))
    narrow = np.full(SIZE, -3.0)
    fixed = noise(4, 3)
    found = nearest(field, narrow, np.ones(SIZE), fixed, fixed, jnp.int32(12))
    variance = np.exp(2 * narrow)
    np.testing.assert_allclose(found.precision.variances(), variance / (1 + variance), rtol=1e-3)
