"""The target: prior and likelihood apart, in its own precision."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import taut
from cases import TARGETS, regression
from taut.target import Space


@pytest.mark.parametrize("name", TARGETS)
def test_the_density_is_the_sum_of_its_terms(name: str) -> None:
    target = TARGETS[name]().target()
    z = np.ones(target.dim)
    with target.precision():
        prior, likelihood = target.split(z)
        assert float(target.log_prior(z)) == float(prior)
        assert float(target.log_likelihood(z)) == float(likelihood)
        assert float(target.log_density(z)) == float(prior) + float(likelihood)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("x64", [True, False])
def test_the_dtype_is_the_targets_whatever_the_user_has_set(dtype: str, x64: bool) -> None:
    target = regression(3).target(dtype)
    with jax.enable_x64(x64):
        with target.precision():
            value = target.log_density(np.ones(3, dtype))
        assert jax.config.jax_enable_x64 is x64
    assert str(value.dtype) == dtype


def test_terms_may_be_plain_numbers() -> None:
    target = taut.Target(lambda z, data, batch: (-0.5 * jnp.sum(z**2), 0.0), Space.of({"x": (2,)}))
    with target.precision():
        assert target.log_likelihood(np.ones(2)).dtype == np.float64


def test_a_batch_takes_the_place_of_all_rows() -> None:
    model = regression(2, rows=12, batch_rows=4)
    target = model.target()
    z = np.ones(2)
    with target.precision():
        part = float(target.log_likelihood(z, ((model.x[:4], model.y[:4]),)))
        residual = model.y[:4] - model.x[:4] @ z
    each = -0.5 * (residual / model.sigma) ** 2 - np.log(np.sqrt(2 * np.pi) * model.sigma)
    assert part == pytest.approx(3 * each.sum(), rel=1e-12)


@pytest.mark.parametrize(
    ("data", "batch", "rows"),
    [
        ((), (), 1),
        (np.float64(3), (), 1),
        ({"n": 3, "x": np.ones((7, 2))}, (), 7),
        ((np.ones(7), np.ones((3, 9))), (), 7),
        ((np.ones(7),), ((np.ones((20, 2)),),), 20),
    ],
)
def test_rows_are_the_longest_first_axis(data: Any, batch: Any, rows: int) -> None:
    target = taut.Target(lambda z, data, batch: (0.0, 0.0), Space.of({"x": ()}), data)
    assert target.rows_of(batch) == rows


def test_without_a_map_the_variables_are_the_vector_by_name() -> None:
    target = taut.Target(lambda z, data, batch: (0.0, 0.0), Space.of({"a": (), "b": (2,)}))
    np.testing.assert_array_equal(target.constrain(np.arange(3.0))["b"], [1, 2])


def test_variables_are_mapped_with_the_data_and_all_rows() -> None:
    model = regression(2, rows=12, batch_rows=4)
    plain = model.target()
    target = taut.Target(
        plain.terms,
        plain.space,
        plain.data,
        plain.batches,
        lambda z, data, batch: {"predicted": batch[0][0] @ z, "sigma": data["sigma"]},
        whole=plain.whole,
    )
    with target.precision():
        mapped = target.constrain(np.ones(2))
    np.testing.assert_allclose(mapped["predicted"], model.x.sum(axis=1))
    assert float(mapped["sigma"]) == model.sigma


def test_a_target_is_its_own_target() -> None:
    target = regression(2).target()
    assert taut.as_target(target) is target


def test_a_target_can_be_fitted_in_single_precision() -> None:
    target = regression(3).target("float32")
    approx = taut.fit(100, method="advi", model=target, random_seed=1, progressbar=False)
    assert {value.dtype for value in approx.parameters.values()} == {np.dtype("float32")}
    assert approx.sample(10)["posterior"]["z"].dtype == np.float32


def test_data_of_the_target_may_hold_what_is_no_array() -> None:
    def terms(z: Any, data: Any, batch: Any) -> Any:
        return -0.5 * data["power"] * jnp.sum(z**2), jnp.sum(data["x"] * z)

    data = {"power": 2, "x": np.ones(4)}
    target = taut.Target(terms, Space.of({"z": (1,)}), data)
    approx = taut.fit(50, method="advi", model=target, random_seed=1, progressbar=False)
    assert np.isfinite(approx.hist).all()
