"""The number of cores makes no difference to any number."""

import jax
import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytest

import taut
from taut.gradients import BLOCK, Gradients, base
from taut.target import Space

CORES = [2, 3, 8, 64]


def rows() -> taut.Target:
    """Return a likelihood of which few points are evaluated together, in a loop."""
    random = np.random.default_rng(1)
    x = random.normal(size=(50_000, 3))
    with pm.Model() as model:
        beta = pm.Normal("beta", shape=3)
        pm.Normal("y", pm.math.dot(x, beta), observed=random.normal(size=len(x)))
    return taut.as_target(model)


def loop() -> taut.Target:
    """Return a density that is evaluated point by point."""

    def density(z: jax.Array, data: object, batch: object) -> tuple[jax.Array, float]:
        turned = jax.lax.fori_loop(0, 3000, lambda i, x: jnp.sin(x) + 0.1 * x, z)
        return -0.5 * jnp.sum(turned**2) - 0.5 * jnp.sum(z**2), 0.0

    return taut.Target(density, Space.of({"z": (4,)}))  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module", params=[rows, loop])
def target(request: pytest.FixtureRequest) -> taut.Target:
    return request.param()


@pytest.mark.parametrize("count", [1, 5, BLOCK, 2 * BLOCK, 2 * BLOCK + 7])
def test_gradients_are_the_same_to_the_last_bit(
    target: taut.Target, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    z = np.random.default_rng(2).normal(size=(count, target.dim))
    found = {}
    for cores in (1, *CORES):
        monkeypatch.setattr(base, "threads_for", lambda operations, cores=cores: cores)
        gradients = Gradients(target)
        gradients(z[:1])
        found[cores] = gradients(z)
    for cores in CORES:
        np.testing.assert_array_equal(found[cores][0], found[1][0])
        np.testing.assert_array_equal(found[cores][1], found[1][1])


@pytest.mark.parametrize("count", [1, 31, BLOCK, 100])
@pytest.mark.parametrize("threads", [1, *CORES])
def test_parts_are_all_points_once_and_keep_threads_busy(
    target: taut.Target, count: int, threads: int
) -> None:
    gradients = Gradients(target)
    gradients(np.zeros((1, target.dim)))
    parts = gradients._parts(0, count, threads)
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(count))
    assert all(part.start // BLOCK == (part.stop - 1) // BLOCK for part in parts)
    assert all(part.start % gradients._at_once == 0 for part in parts)
    most = -(-count // gradients._at_once)
    assert len(parts) >= min(threads, most) // 2


def test_a_fit_is_the_same_on_any_number_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that needs a repair, so that gradients, paths and chains take part."""
    found = []
    for cores in (1, 3):
        monkeypatch.setattr(base, "threads_for", lambda operations, cores=cores: cores)
        monkeypatch.setattr("taut.chains.hmc._FEW", 1000)
        target = taut.Target(
            lambda z, data, batch: (jnp.sum(z - jnp.exp(z)), 0.0),  # pyright: ignore[reportCallIssue]
            Space.of({"z": (3,)}),
        )
        approx = taut.fit(model=target, random_seed=1, progressbar=False)
        found.append(approx.unconstrained_draws(100, random_seed=1))
    np.testing.assert_array_equal(*found)
