"""Ops that JAX does not know are left to PyTensor, and nothing else changes."""

import faulthandler
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pymc as pm
import pymc.dims as pmd
import pytensor
import pytest

import taut

from .models import QUIET
from .zoo.cube import cube

pytestmark = QUIET

ROWS = 10_000


@pytest.fixture(autouse=True)
def _no_deadlock() -> Iterator[None]:
    """End the process with a traceback, rather than wait for ever."""
    faulthandler.dump_traceback_later(300, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def cubic(rows: int = ROWS, batch: int | None = None) -> pm.Model:
    """A regression on the cube of one of its coefficients."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=rows)
    y = 1.0 + 0.5**3 * x + rng.normal(size=rows)
    with pm.Model() as model:
        a, b = pm.Normal("a"), pm.Normal("b")
        x, y = pm.Data("x", x), pm.Data("y_data", y)
        if batch is not None:
            x, y = pm.Minibatch(x, y, batch_size=batch)
        pm.Normal("y", a + cube(b) * x, 1.0, observed=y, total_size=batch and rows)
    return model


def lifted(model: pm.Model) -> taut.Target:
    """Lift a model, and see to it that the op is named."""
    with pytest.warns(UserWarning, match="log density .*Cube.* PyTensor evaluates it"):
        return taut.as_target(model)


def by_hand(model: pm.Model, z: np.ndarray) -> tuple[float, np.ndarray]:
    """The log density and its gradient, of all rows."""
    x, y = model["x"].get_value(), model["y_data"].get_value()
    residual = y - z[0] - z[1] ** 3 * x
    squares = z @ z + residual @ residual
    value = -0.5 * squares - 0.5 * np.log(2 * np.pi) * (2 + len(y))
    return value, -z + np.array([residual.sum(), 3 * z[1] ** 2 * (residual @ x)])


def test_value_and_gradient_are_those_of_pytensor() -> None:
    model, z = cubic(), np.array([0.7, -0.4])
    target = lifted(model)
    point = target.space.unravel(z)
    value = model.compile_logp(mode="FAST_COMPILE")(point)
    slope = model.compile_dlogp(mode="FAST_COMPILE")(point)
    with target.precision():
        ours = jax.value_and_grad(target.log_density)(jnp.asarray(z))
    np.testing.assert_allclose(ours[0], value, rtol=1e-10)
    np.testing.assert_allclose(ours[1], slope, rtol=1e-10)
    np.testing.assert_allclose(slope, by_hand(model, z)[1], rtol=1e-10)


def test_prior_and_likelihood_are_differentiated_apart() -> None:
    target, z = lifted(cubic(200)), jnp.array([0.7, -0.4])
    with target.precision():
        prior = jax.grad(target.log_prior)(z)
        whole = jax.grad(target.log_density)(z)
        likelihood = jax.grad(target.log_likelihood)(z)
    np.testing.assert_allclose(prior, -z, rtol=1e-6)
    np.testing.assert_allclose(whole, prior + likelihood, rtol=1e-6)


def test_compiled_mapped_and_in_a_loop() -> None:
    model = cubic(300)
    target, zs = lifted(model), np.random.default_rng(1).normal(size=(4, 2))
    expected = [by_hand(model, z) for z in zs]
    with target.precision():
        both = jax.value_and_grad(target.log_density)
        values, slopes = jax.jit(jax.vmap(both))(zs)
        sequential = jax.jit(lambda zs: jax.lax.map(both, zs))(zs)
    np.testing.assert_allclose(values, [value for value, _ in expected], rtol=1e-10)
    np.testing.assert_allclose(slopes, [slope for _, slope in expected], rtol=1e-10)
    np.testing.assert_allclose(sequential[1], slopes, rtol=1e-10)


def test_in_a_while_loop() -> None:
    model = cubic(300)
    target = lifted(model)

    def climb(z: jax.Array) -> jax.Array:
        def step(state: tuple[Any, Any]) -> tuple[Any, Any]:
            return state[0] + 1, state[1] + 1e-4 * jax.grad(target.log_density)(state[1])

        return jax.lax.while_loop(lambda state: state[0] < 5, step, (0, z))[1]

    z = np.array([0.1, 0.6])
    with target.precision():
        ours = np.asarray(jax.jit(climb)(z))
    for _ in range(5):
        z = z + 1e-4 * by_hand(model, z)[1]
    np.testing.assert_allclose(ours, z, rtol=1e-10)


def fit(model: pm.Model, steps: int = 2000) -> taut.Approximation:
    optimizer = taut.adam(learning_rate=0.02)
    return taut.fit(
        steps, method="advi", model=model, start={"b": 0.4}, start_sigma={"b": 0.05}, random_seed=1,
        obj_optimizer=optimizer, progressbar=False,
    )  # fmt: skip


def test_a_whole_fit() -> None:
    model = cubic()
    lifted(model)
    approx = fit(model)
    posterior = approx.sample(50)["posterior"]
    assert posterior.sizes["draw"] == 50
    assert float(posterior["a"].mean()) == pytest.approx(1.0, abs=0.1)
    assert float(posterior["b"].mean()) == pytest.approx(0.5, abs=0.1)


def test_new_data_after_a_fit_are_honoured() -> None:
    model = cubic(500)
    lifted(model)
    before = fit(model, 1000)
    first = float(before.sample(50)["posterior"]["a"].mean())
    programs = before.target.programs
    pm.set_data({"y_data": model["y_data"].get_value() + 1.0}, model=model)
    after = fit(model, 1000)
    assert after.target.programs is programs
    assert float(after.sample(50)["posterior"]["a"].mean()) == pytest.approx(first + 1, abs=0.1)


def test_another_number_of_rows() -> None:
    model, z = cubic(500), np.array([0.3, 0.8])
    lifted(model)
    pm.set_data({"x": np.ones(40), "y_data": np.zeros(40)}, model=model)
    with (target := taut.as_target(model)).precision():
        value = float(target.log_density(z))
    assert value == pytest.approx(by_hand(model, z)[0], rel=1e-12)


@pytest.mark.parametrize("density", [False, True], ids=["deterministic", "all"])
def test_deterministics_of_another_number_of_rows(density: bool) -> None:
    with pm.Model() as model:
        b, x = pm.Normal("b"), pm.Data("x", np.arange(4.0))
        pm.Deterministic("curve", cube(b) * x)
        pm.Potential("p", -((cube(b) if density else b) ** 2))
    with pytest.warns(UserWarning, match="Cube"):
        approx = taut.fit(50, method="advi", model=model, progressbar=False)
        assert approx.sample(5)["posterior"]["curve"].shape == (1, 5, 4)
    pm.set_data({"x": np.arange(6.0)}, model=model)
    posterior = taut.fit(50, method="advi", model=model, progressbar=False).sample(5)["posterior"]
    expected = posterior["b"].values[..., None] ** 3 * np.arange(6.0)
    np.testing.assert_allclose(posterior["curve"], expected, rtol=1e-12)


def test_minibatches() -> None:
    model, z = cubic(400, batch=20), np.array([0.3, 0.8])
    target = lifted(model)
    with target.precision():
        whole = float(target.log_density(z))
        batch = target.batches.draw(jax.random.key(2))
        part, slope = jax.value_and_grad(target.log_likelihood)(jnp.asarray(z), batch)
    assert whole == pytest.approx(by_hand(model, z)[0], rel=1e-12)
    [(x, y)] = [[np.asarray(array) for array in group] for group in batch]
    residual = y - z[0] - z[1] ** 3 * x
    value = -0.5 * residual @ residual - 0.5 * np.log(2 * np.pi) * 20
    assert float(part) == pytest.approx(20 * value, rel=1e-12)
    assert float(slope[0]) == pytest.approx(20 * residual.sum(), rel=1e-12)


def test_threads_of_another_precision() -> None:
    """JAX may call back in a thread of its own, in which it computes in 32 bits."""
    model, z = cubic(100), np.array([1 / 3, 0.7])
    target = lifted(model)
    with target.precision():
        compiled = jax.jit(jax.value_and_grad(target.log_density)).lower(z).compile()
        z_on_device = jax.device_put(z)
    with ThreadPoolExecutor(1) as thread:
        value, slope = thread.submit(lambda: jax.block_until_ready(compiled(z_on_device))).result()
    assert not jax.config.jax_enable_x64
    np.testing.assert_allclose(value, by_hand(model, z)[0], rtol=1e-12)
    np.testing.assert_allclose(slope, by_hand(model, z)[1], rtol=1e-12)


def test_a_fit_by_minibatches() -> None:
    model = cubic(ROWS, batch=100)
    lifted(model)
    posterior = fit(model).sample(50)["posterior"]
    assert float(posterior["a"].mean()) == pytest.approx(1.0, abs=0.2)


def test_integers_in_a_batch() -> None:
    """They have no gradient, and need one that says so."""
    with pm.Model() as model:
        index, y = pm.Minibatch(
            np.arange(60) % 3, np.random.default_rng(0).normal(size=60), batch_size=6
        )
        pm.Normal("y", cube(pm.Normal("effect", shape=3))[index], 1.0, observed=y, total_size=60)
    target = lifted(model)
    with target.precision():
        batch = target.batches.draw(jax.random.key(1))
        slope = jax.grad(target.log_density)(jnp.ones(3), batch)
    [(index, y)] = [[np.asarray(array) for array in group] for group in batch]
    by_group = np.bincount(index, weights=y - 1.0, minlength=3)
    np.testing.assert_allclose(slope, -1.0 + 10 * 3 * by_group, rtol=1e-10)


def test_many_unknowns() -> None:
    """Large arguments of a callback, too, must not wait for the program that waits for it."""
    with pm.Model() as model:
        x = pm.Normal("x", shape=20_000)
        pm.Normal("y", cube(x), 1.0, observed=np.zeros(20_000))
    target = lifted(model)
    with target.precision():
        slope = jax.jit(jax.grad(target.log_density))(np.full(20_000, 0.5))
    np.testing.assert_allclose(slope, -0.5 - 3 * 0.5**5, rtol=1e-10)


def test_deterministics_alone_fall_back_when_sampling() -> None:
    with pm.Model() as model:
        b = pm.Normal("b")
        pm.Deterministic("cubed", cube(b) + pm.Data("shift", 2.0))
        pm.Normal("y", b, 1.0, observed=np.zeros(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        approx = fit(model, 100)
    with pytest.warns(UserWarning, match="deterministic variables .*Cube"):
        posterior = approx.sample(50)["posterior"]
    np.testing.assert_allclose(posterior["cubed"], posterior["b"] ** 3 + 2.0, rtol=1e-12)


def test_in_32_bits() -> None:
    with pytensor.config.change_flags(floatX="float32"):
        target = lifted(cubic(50))
        with target.precision():
            value, slope = jax.value_and_grad(target.log_density)(jnp.array([0.1, 0.2]))
    assert target.dtype == value.dtype == slope.dtype == np.float32


def test_named_dims() -> None:
    with pm.Model(coords={"k": list("abc")}) as model:
        x = pmd.Normal("x", dims="k")
        pmd.Potential("pull", -(x**2))
        pm.Potential("cubed", -cube(x.values))
    target, z = lifted(model), np.array([0.1, 0.2, 0.3])
    with target.precision():
        slope = jax.grad(target.log_density)(jnp.asarray(z))
    np.testing.assert_allclose(slope, -3 * z - 3 * z**2, rtol=1e-10)


def test_spatial_models() -> None:
    """Eigenvalues of a pair of matrices, which JAX has not, are folded, without a warning."""
    ring = np.roll(np.eye(9), 1, axis=0) + np.roll(np.eye(9), -1, axis=0)
    with pm.Model() as model:
        pm.CAR("car", mu=np.zeros(9), W=ring, alpha=0.5, tau=1.0)
    target = taut.as_target(model)
    z = np.random.default_rng(1).normal(size=9)
    with target.precision():
        value = float(target.log_density(z))
    assert value == pytest.approx(float(model.compile_logp(mode="FAST_COMPILE")({"car": z})))


def test_the_automatic_fit_runs_on_pytensor() -> None:
    """A slope near 2, whose cube root is normal within a few hundredths: the posterior is known."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=200)
    y = 8.0 * x + rng.normal(size=200)
    with pm.Model() as model:
        b = pm.Normal("b", 2.0, 1.0)
        pm.Normal("y", cube(b) * x, 1.0, observed=y)
    with pytest.warns(UserWarning, match="Cube"):
        approx = taut.fit(model=model, random_seed=1, progressbar=False)
    slope, error = x @ y / (x @ x), (x @ x) ** -0.5
    assert approx.diagnose(random_seed=1).trusted
    # The delta method: its next term is a hundredth of a standard deviation.
    assert float(approx.mean.eval()[0]) == pytest.approx(np.cbrt(slope), abs=0.1 * error / 12)
    assert float(approx.std.eval()[0]) == pytest.approx(error / (3 * np.cbrt(slope) ** 2), rel=0.05)
