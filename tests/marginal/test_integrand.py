"""Densities with their latents integrated out, against closed forms and plain quadrature."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy
from jaxtyping import Array

from taut.marginal import Integrand
from taut.structure import read_structure, reader
from taut.target import Factors, Space, Target

GROUPS, EACH, FEW = 30, 4, 12
RANDOM = np.random.default_rng(0)
G = np.repeat(np.arange(GROUPS), EACH)
H = RANDOM.permutation(np.arange(GROUPS * EACH) % FEW)
NORMAL, COUNTS = RANDOM.normal(size=GROUPS * EACH), RANDOM.poisson(1.5, GROUPS * EACH)
BINARY = RANDOM.integers(0, 2, GROUPS * EACH)


def log_normal(x: Array, mean: Any, sd: Any) -> Array:
    return -0.5 * ((x - mean) / sd) ** 2 - jnp.log(sd) - 0.5 * np.log(2 * np.pi)


def target_of(terms: Any, shapes: dict[str, tuple[int, ...]]) -> Target:
    """A target of named variables whose terms are a tuple of arrays."""
    space = Space.of(shapes)

    def factors(z: Array) -> tuple[Array, ...]:
        return terms(**space.unravel(z))

    def both(z: Array, data: Any, batch: Any) -> Any:
        return sum(one.sum() for one in factors(z)), 0.0

    return Target(both, space, factors=Factors(factors))


def normal_rows(m: Array, s: Array, r: Array, a: Array) -> tuple[Array, ...]:
    own = log_normal(a, m, jnp.exp(s))
    rows = log_normal(NORMAL, a[G], jnp.exp(r))
    return own, rows, log_normal(jnp.stack([m, s, r]), 0.0, 1.0)


def binary_rows(m: Array, s: Array, a: Array) -> tuple[Array, ...]:
    eta = m + jnp.exp(s) * a[G]
    return (
        log_normal(a, 0.0, 1.0), BINARY * eta - jnp.logaddexp(0.0, eta),
        log_normal(jnp.stack([m, s]), 0.0, 1.0),
    )  # fmt: skip


def normal_slopes(m: Array, s: Array, r: Array, a: Array) -> tuple[Array, ...]:
    own = log_normal(a, m, jnp.exp(s)).sum(1)
    rows = log_normal(COUNTS, a[G, 0] + a[G, 1] * NORMAL, jnp.exp(r))
    return own, rows, log_normal(jnp.stack([m, s, r]), 0.0, 1.0)


def slopes(m: Array, s: Array, a: Array) -> tuple[Array, ...]:
    eta = m + jnp.exp(s) * (a[G, 0] + a[G, 1] * NORMAL)
    counts = COUNTS * eta - jnp.exp(eta)
    return log_normal(a, 0.0, 1.0).sum(1), counts, log_normal(jnp.stack([m, s]), 0.0, 1.0)


def three_each(m: Array, s: Array, a: Array) -> tuple[Array, ...]:
    design = np.stack([np.ones(len(G)), NORMAL, NORMAL**2], axis=1)
    eta = m + jnp.exp(s) * jnp.sum(a[G] * design, axis=1)
    rows = BINARY * eta - jnp.logaddexp(0.0, eta)
    return log_normal(a, 0.0, 1.0), rows, log_normal(jnp.stack([m, s]), 0.0, 1.0)


def four_each(m: Array, s: Array, a: Array) -> tuple[Array, ...]:
    eta = m + jnp.exp(s) * a[G, np.tile(np.arange(EACH), GROUPS)]
    rows = BINARY * eta - jnp.logaddexp(0.0, eta)
    return log_normal(a, 0.0, 1.0), rows, log_normal(jnp.stack([m, s]), 0.0, 1.0)


def crossed(m: Array, s: Array, t: Array, a: Array, b: Array) -> tuple[Array, ...]:
    rows = log_normal(NORMAL, m + a[G] + b[H], 1.0)
    own = log_normal(a, 0.0, jnp.exp(s)), log_normal(b, 0.0, jnp.exp(t))
    return *own, rows, log_normal(jnp.stack([m, s, t]), 0.0, 1.0)


def walk(s: Array, r: Array, x: Array) -> tuple[Array, ...]:
    steps = log_normal(jnp.diff(x, prepend=0.0), 0.0, jnp.exp(s))
    rows = log_normal(NORMAL[: len(x)], x, jnp.exp(r))
    return steps.sum()[None], rows, log_normal(jnp.stack([s, r]), 0.0, 1.0)


def walk_by_steps(s: Array, r: Array, x: Array) -> tuple[Array, ...]:
    rows = log_normal(NORMAL[: len(x)], jnp.cumsum(jnp.exp(s) * x), jnp.exp(r))
    return log_normal(x, 0.0, 1.0), rows, log_normal(jnp.stack([s, r]), 0.0, 1.0)


def smooth(s: Array, r: Array, x: Array) -> tuple[Array, ...]:
    bends = log_normal(jnp.diff(x, n=2), 0.0, jnp.exp(s)).sum()
    total = log_normal(x.sum(), 0.0, 0.5)
    rows = log_normal(NORMAL[: len(x)], x, jnp.exp(r))
    return bends[None], total[None], rows, log_normal(jnp.stack([s, r]), 0.0, 1.0)


def crossed_counts(m: Array, s: Array, t: Array, a: Array, b: Array) -> tuple[Array, ...]:
    eta = m + a[G] + b[H]
    own = log_normal(a, 0.0, jnp.exp(s)), log_normal(b, 0.0, jnp.exp(t))
    return *own, COUNTS * eta - jnp.exp(eta), log_normal(jnp.stack([m, s, t]), 0.0, 1.0)


def walk_of_counts(m: Array, s: Array, x: Array) -> tuple[Array, ...]:
    steps = log_normal(jnp.diff(x, prepend=0.0), 0.0, jnp.exp(s))
    rows = COUNTS[: len(x)] * (m + x) - jnp.exp(m + x)
    return steps.sum()[None], rows, log_normal(jnp.stack([m, s]), 0.0, 1.0)


def smooth_counts(s: Array, x: Array) -> tuple[Array, ...]:
    bends = log_normal(jnp.diff(x, n=2), 0.0, jnp.exp(s)).sum()
    rows = COUNTS[: len(x)] * x - jnp.exp(x)
    return bends[None], log_normal(x.sum(), 0.0, 0.5)[None], rows, log_normal(s, 0.0, 1.0)[None]


MODELS: dict[str, tuple[Any, dict[str, tuple[int, ...]]]] = {
    "normal rows": (normal_rows, {"m": (), "s": (), "r": (), "a": (GROUPS,)}),
    "normal slopes": (normal_slopes, {"m": (), "s": (), "r": (), "a": (GROUPS, 2)}),
    "binary rows": (binary_rows, {"m": (), "s": (), "a": (GROUPS,)}),
    "slopes": (slopes, {"m": (), "s": (), "a": (GROUPS, 2)}),
    "three each": (three_each, {"m": (), "s": (), "a": (GROUPS, 3)}),
    "four each": (four_each, {"m": (), "s": (), "a": (GROUPS, 4)}),
    "crossed": (crossed, {"m": (), "s": (), "t": (), "a": (GROUPS,), "b": (FEW,)}),
    "walk": (walk, {"s": (), "r": (), "x": (100,)}),
    "walk by steps": (walk_by_steps, {"s": (), "r": (), "x": (100,)}),
    "smooth": (smooth, {"s": (), "r": (), "x": (70,)}),
    "crossed counts": (crossed_counts, {"m": (), "s": (), "t": (), "a": (GROUPS,), "b": (FEW,)}),
    "walk of counts": (walk_of_counts, {"m": (), "s": (), "x": (100,)}),
    "smooth counts": (smooth_counts, {"s": (), "x": (70,)}),
}
NORMAL_ONES = ("normal rows", "normal slopes", "crossed", "walk", "walk by steps", "smooth")
# Those of which the value is Laplace's, and the gradient that of this.
LAPLACE_ONES = (*NORMAL_ONES, "crossed counts", "walk of counts", "smooth counts")


@pytest.fixture(autouse=True)
def _more_crossing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_ALL_GLOBALS", 5)


@functools.cache
def integrand_of(name: str) -> tuple[Target, Integrand]:
    target = target_of(*MODELS[name])
    start = np.zeros(target.dim)
    structure = read_structure(target, target.factors, start, np.random.default_rng(1))
    return target, Integrand(target, target.factors, structure, start, None)


@pytest.mark.parametrize("name", NORMAL_ONES)
def test_normal_latents_are_integrated_out_exactly(name: str) -> None:
    """Against the Gaussian integral of the whole density, by its dense Hessian."""
    target, integrand = integrand_of(name)
    assert integrand.is_normal
    theta = 0.3 * np.arange(1, 1 + len(integrand.structure.globals))
    latents = integrand.structure.latents
    assert latents is not None
    with target.precision():
        z = jnp.zeros(target.dim).at[integrand.structure.globals].set(theta)
        inner = lambda u: target.log_density(z.at[latents.places].set(u))  # noqa: E731
        zero = jnp.zeros(len(latents.places))
        precision = -np.asarray(jax.hessian(inner)(zero))
        slope = np.asarray(jax.grad(inner)(zero))
        mode = np.linalg.solve(precision, slope)
        value = float(inner(zero)) + 0.5 * slope @ mode
        value -= 0.5 * np.linalg.slogdet(precision)[1] - 0.5 * len(mode) * np.log(2 * np.pi)
    found = integrand(theta)
    assert found.value == pytest.approx(value, abs=1e-8)
    given = integrand.given(theta)
    if not integrand.is_summed:
        np.testing.assert_allclose(given.mean, mode, atol=1e-8)
        np.testing.assert_allclose(given.variances, np.diag(np.linalg.inv(precision)), atol=1e-9)


def test_quadrature_is_that_of_each_group() -> None:
    """Against the trapezoidal rule on a fine grid, which is exact to rounding here."""
    _, integrand = integrand_of("binary rows")
    theta = np.array([0.2, 0.4])
    grid = np.linspace(-9.0, 9.0, 4001)
    eta = theta[0] + np.exp(theta[1]) * grid
    rows = BINARY.reshape(GROUPS, EACH, 1) * eta - np.logaddexp(0.0, eta)
    log_joint = rows.sum(axis=1) + scipy.stats.norm.logpdf(grid)
    density = np.exp(log_joint) * (grid[1] - grid[0])
    prior = scipy.stats.norm.logpdf(theta).sum()
    found, given = integrand(theta, doubled=True), integrand.given(theta)
    assert found.value == pytest.approx(np.log(density.sum(1)).sum() + prior, abs=1e-6)
    share = density / density.sum(1, keepdims=True)
    mean = share @ grid
    # Nine nodes for each latent.
    np.testing.assert_allclose(given.mean, mean, atol=1e-4)
    np.testing.assert_allclose(given.variances, share @ grid**2 - mean**2, atol=1e-3)


def test_a_grid_in_two_dimensions_is_that_of_plain_quadrature() -> None:
    _, integrand = integrand_of("slopes")
    theta = np.array([0.1, -0.5])
    line = np.linspace(-7.0, 7.0, 201)
    first, second = (one.ravel() for one in np.meshgrid(line, line))
    eta = theta[0] + np.exp(theta[1]) * (first + NORMAL.reshape(GROUPS, EACH, 1) * second)
    counts = COUNTS.reshape(GROUPS, EACH, 1) * eta - np.exp(eta)
    prior = scipy.stats.norm.logpdf(first) + scipy.stats.norm.logpdf(second)
    log_joint = counts.sum(axis=1) + prior
    each = np.log((np.exp(log_joint) * (line[1] - line[0]) ** 2).sum(axis=1))
    found = integrand(theta, doubled=True)
    assert found.value == pytest.approx(each.sum() + scipy.stats.norm.logpdf(theta).sum(), abs=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_the_gradient_is_that_of_the_value(name: str) -> None:
    _, integrand = integrand_of(name)
    theta = 0.2 * np.arange(1, 1 + len(integrand.structure.globals))
    at = lambda theta: integrand(theta, doubled=integrand.has_nodes)  # noqa: E731
    steps = 1e-4 * np.eye(len(theta))
    slope = [(at(theta + e).value - at(theta - e).value) / 2e-4 for e in steps]
    # The gradient is that of the integral, the value a sum over nodes: 0.1 is some hundredth of a
    # standard deviation of theta here. Of random points it is three times as much.
    near = 1e-5 if name in LAPLACE_ONES else 0.3 if name == "four each" else 0.1
    np.testing.assert_allclose(at(theta).slope, slope, atol=near)


@pytest.mark.parametrize("name", MODELS)
def test_large_ones_are_evaluated_without_gradients(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, integrand = integrand_of(name)
    theta = 0.2 * np.arange(1, 1 + len(integrand.structure.globals))
    whole = integrand(theta)
    assert np.any(integrand(theta, with_slope=False).slope)
    monkeypatch.setattr("taut.marginal.integrand._MANY", 0)
    alone = integrand(theta, with_slope=False)
    assert alone.value == pytest.approx(whole.value, rel=1e-10)
    np.testing.assert_allclose(alone.mean, whole.mean, atol=1e-6)
    assert not np.any(alone.slope)


def test_random_points_are_as_good_as_their_number() -> None:
    """Four latents a group: 256 points and 512 differ by what the integral is off."""
    _, integrand = integrand_of("four each")
    theta = np.array([0.1, -0.3])
    few, many = integrand(theta), integrand(theta, doubled=True)
    assert few.value == pytest.approx(many.value, abs=0.05)


@pytest.mark.parametrize("name", ["binary rows", "slopes"])
def test_the_search_for_modes_forgets_where_it_began(name: str) -> None:
    target, integrand = integrand_of(name)
    far = np.random.default_rng(2).normal(0.0, 5.0, target.dim)
    theta = np.zeros(2)
    other = Integrand(target, target.factors, integrand.structure, far, None)
    assert other(theta).value == pytest.approx(integrand(theta).value, abs=1e-8)
