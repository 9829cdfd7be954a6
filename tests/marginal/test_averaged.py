"""Gaussians nearest to latents, and importance points from them, against plain quadrature."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from taut.marginal import AbstractField
from taut.marginal.averaged import nearest, sampled
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
        return SIZE

    @property
    def parts(self) -> int:
        return SIZE

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

    def place(self, theta: Array, u: Array) -> Array:
        return jnp.concatenate([theta, u])


FIELD = Counts(jnp.asarray(COUNTS))
THETA = np.array([0.3])


def noise(draws: int, seed: int) -> np.ndarray:
    half = np.random.default_rng(seed).normal(size=(draws // 2, SIZE))
    return np.concatenate([half, -half])


def exact() -> tuple[float, np.ndarray, np.ndarray]:
    """Log of the integral, means and variances, by the trapezoidal rule."""
    grid = np.linspace(-9.0, 6.0, 20_001)
    log_p = COUNTS[:, None] * grid - np.exp(grid) - 0.5 * (grid / np.exp(THETA)) ** 2 - THETA
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


def test_points_have_the_integral_and_the_moments() -> None:
    value, mean, variances = exact()
    fixed, points = noise(16, 1), noise(20_000, 2)
    found = sampled(FIELD, THETA, np.zeros(SIZE), np.zeros_like(fixed), fixed, jnp.int32(8), points)
    # Weights of the points vary by a tenth or so: 20 000 know the integral to 0.001, and moments
    # to 0.01 standard deviations.
    assert float(found.value) == pytest.approx(value, abs=0.01)
    np.testing.assert_allclose(found.mean, mean, atol=0.03)
    np.testing.assert_allclose(found.square, variances, rtol=0.05)


def test_few_points_have_no_bias() -> None:
    value, _, _ = exact()
    fixed = noise(8, 1)
    begin = np.zeros(SIZE), np.zeros_like(fixed)
    run = eqx.filter_jit(sampled)
    ratios = [
        np.exp(float(run(FIELD, THETA, *begin, fixed, jnp.int32(4), noise(4, seed)).value) - value)
        for seed in range(400)
    ]
    error = np.std(ratios) / np.sqrt(len(ratios))
    assert np.mean(ratios) == pytest.approx(1.0, abs=4 * error)
    assert error < 0.02


def test_normal_latents_have_their_own_gaussian_whatever_the_draws() -> None:
    """A prior of sd 0.05 leaves little of the rows: given it, latents are normal to 1e-3."""
    field = eqx.tree_at(lambda one: one.counts, FIELD, jnp.zeros(SIZE))
    narrow = np.full(SIZE, -3.0)
    fixed = noise(4, 3)
    found = nearest(field, narrow, np.ones(SIZE), fixed, fixed, jnp.int32(12))
    variance = np.exp(2 * narrow)
    np.testing.assert_allclose(found.precision.variances(), variance / (1 + variance), rtol=1e-3)
