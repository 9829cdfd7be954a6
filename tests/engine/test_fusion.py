"""Loops that are one kernel: XLA makes one of what is said to be one; values are the same."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.linalg
import numpy as np
import pymc as pm
import pytest

import taut
from taut.engine import map_in_turn, trace
from taut.gradients import BLOCK
from taut.gradients import base as gradients
from taut.gradients.base import at_points
from taut.target import Target


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def gamma() -> pm.Model:
    """Gammas and their logarithms, whose sums XLA would cut into dozens of kernels."""
    with pm.Model() as model:
        alpha, beta = pm.Exponential("alpha", 0.1), pm.Exponential("beta", 0.1)
        pm.Gamma("y", alpha, beta, observed=np.random.default_rng(0).gamma(3.0, 0.5, size=200))
    return model


def recursion() -> pm.Model:
    """A scan, with a first value that is set in an array."""
    with pm.Model() as model:
        rho = pm.Normal("rho", 0.0, 0.5, shape=2)
        pm.AR("x", rho, 1.0, init_dist=pm.Normal.dist(shape=2), steps=20)
    return model


def groups() -> pm.Model:
    """Rows read the value of their group, and so gradients are scattered."""
    with pm.Model() as model:
        effect = pm.Normal("effect", shape=5)
        of_row = np.random.default_rng(0).integers(5, size=40)
        pm.Normal("y", effect[of_row], observed=np.zeros(40))
    return model


def covariance() -> pm.Model:
    """A Cholesky factor, which a library computes."""
    with pm.Model() as model:
        scale = pm.LogNormal("scale")
        pm.MvNormal("x", np.zeros(3), scale * np.eye(3) + 0.5)
    return model


MODELS: dict[str, tuple[Callable[[], pm.Model], bool]] = {
    "gamma": (gamma, True),
    "recursion": (recursion, True),
    "groups": (groups, False),
    "covariance": (covariance, False),
}
each_model = pytest.mark.parametrize("name", MODELS)


def points(target: Target) -> np.ndarray:
    return 0.3 * np.random.default_rng(1).normal(size=(BLOCK, target.dim))


def kernels(target: Target) -> tuple[int, int]:
    """Count the kernels of the program of gradients, and the loops among them."""
    z, count = points(target), np.int32(BLOCK)
    lowered = jax.jit(lambda z, count: at_points(target, z, count)).lower(z, count)
    text = lowered.compile().as_text()
    assert text is not None
    entry = text[text.index("ENTRY") :]
    return len(re.findall(r" fusion\(| call\(", entry)), entry.count("xla_cpu_small_call")


@each_model
def test_what_is_said_to_be_one_kernel_is_one(name: str) -> None:
    """Beside it come those that read nothing but data."""
    build, is_one = MODELS[name]
    target = taut.as_target(build())
    with target.precision():
        traced = trace(jax.value_and_grad(target.log_density), points(target)[0])
        assert traced.is_one_kernel == is_one
        all_, loops = kernels(target)
    assert loops == is_one
    assert not is_one or all_ <= 8


@each_model
def test_values_are_those_of_points_together(name: str) -> None:
    target = taut.as_target(MODELS[name][0]())
    z = points(target)
    with target.precision():
        values, slopes, *_ = jax.jit(lambda z: at_points(target, z, np.int32(BLOCK)))(z)
        expected = jax.vmap(jax.value_and_grad(target.log_density))(z)
    # Sums are added up in another order.
    np.testing.assert_allclose(values, expected[0], rtol=1e-12)
    np.testing.assert_allclose(slopes, expected[1], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("count", [1, 7, BLOCK])
@each_model
def test_points_that_fill_the_block_up_are_left_out_of_a_loop(name: str, count: int) -> None:
    build, is_one = MODELS[name]
    target = taut.as_target(build())
    z = points(target)
    with target.precision():
        values, _, at_once, *_ = at_points(target, z, jnp.int32(count))
        expected = jax.vmap(target.log_density)(z[:count])
    assert int(at_once) == (1 if is_one else BLOCK)
    np.testing.assert_allclose(values[:count], expected, rtol=1e-12)


@pytest.mark.parametrize("count", [1, 3, 31, BLOCK])
def test_points_that_read_many_rows_go_a_few_at_a_time(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradients, "points_at_once", lambda rows, multiplications: 4)
    target = taut.as_target(groups())
    z = points(target)
    with target.precision():
        values, slopes, at_once, *_ = at_points(target, z, jnp.int32(count))
        expected = jax.vmap(jax.value_and_grad(target.log_density))(z[:count])
    assert int(at_once) == 4
    np.testing.assert_allclose(values[:count], expected[0], rtol=1e-12)
    np.testing.assert_allclose(slopes[:count], expected[1], rtol=1e-12)


def product(z: Any) -> Any:
    return jnp.ones((1000, 200)) @ jnp.full(200, z)


def products_of_a_scan(z: Any) -> Any:
    step = lambda x, _: (jnp.ones((100, 100)) @ x, None)  # noqa: E731
    return jax.lax.scan(step, jnp.full(100, z), length=11)[0]


FUNCTIONS: dict[str, tuple[Callable[[Any], Any], bool]] = {
    "sum of a product": (lambda z: jnp.sum(jnp.ones((10, 10)) @ jnp.full(10, z)), True),
    "a large product": (product, False),
    "products of a scan": (products_of_a_scan, False),
    "a long array": (lambda z: jnp.sum(jnp.sin(z * jnp.ones(10_000))), True),
    "a longer array": (lambda z: jnp.sum(jnp.sin(z * jnp.ones(10_001))), False),
    "a branch with a sort": (
        lambda z: jax.lax.cond(z > 0, lambda: jnp.sort(jnp.full(3, z)), lambda: jnp.zeros(3)),
        False,
    ),
    "one element set": (lambda z: jnp.zeros(3).at[1].set(z), True),
    "two elements set": (lambda z: jnp.zeros(3).at[jnp.array([0, 2])].set(z), False),
    "a system of equations": (
        lambda z: jax.scipy.linalg.solve_triangular(jnp.eye(3) * z, jnp.ones(3)),
        False,
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_a_kernel_can_not_hold_is_found_out(name: str) -> None:
    function, is_one = FUNCTIONS[name]
    assert trace(function, 1.0).is_one_kernel == is_one


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_was_traced_and_what_is_mapped_gives_what_the_function_gives(name: str) -> None:
    function, _ = FUNCTIONS[name]
    z = np.array([0.5, 2.0, -1.0])
    expected = np.stack([function(one) for one in z])
    np.testing.assert_allclose(trace(function, 1.0)(2.0), expected[1])
    np.testing.assert_allclose(map_in_turn(function, z, rows=1), expected)


def test_trees_go_in_and_come_out() -> None:
    function = lambda z: {"sum": z["a"] + z["b"].sum(), "one": 1.0}  # noqa: E731
    draws = {"a": np.arange(3.0), "b": np.ones((3, 2))}
    mapped = map_in_turn(function, draws, rows=1)
    np.testing.assert_array_equal(mapped["sum"], [2.0, 3.0, 4.0])
    np.testing.assert_array_equal(mapped["one"], np.ones(3))


def test_on_a_gpu_points_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert not trace(jnp.sin, 1.0).is_one_kernel
