"""The lifted density, its gradient, its split and the constrained variables are PyMC's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pymc as pm
import pymc.dims as pmd
import pytensor
import pytest

import taut

from .models import MODELS, QUIET

pytestmark = QUIET

# Models for 32 bits: of every transform with a long formula, of data, of every kind of loop.
IN_FLOAT32 = [
    "log", "interval", "simplex_matrix", "cholesky_covariance", "covariance", "index_data",
    "length_data", "sparse_design", "student_t", "scan_innovations", "xarray_transforms",
]  # fmt: skip


@dataclass(frozen=True)
class Values:
    """What a model says of one point."""

    prior: Any
    likelihood: Any
    gradient: Any
    constrained: Mapping[str, Any]


def points(dim: int, count: int = 3) -> np.ndarray:
    """Draw points in the unconstrained space, some way from its origin."""
    return np.random.default_rng(7).normal(0.0, 0.8, size=(count, dim))


def by_taut(target: taut.Target, zs: np.ndarray) -> list[Values]:
    """Evaluate a target as fits do: compiled, with the data as arguments."""

    def evaluate(z: jax.Array) -> Any:
        gradient = jax.grad(target.log_density)(z)
        return *target.split(z), gradient, target.constrain(z)

    with target.precision():
        compiled = jax.jit(evaluate)
        return [Values(*jax.tree.map(np.asarray, compiled(z))) for z in zs.astype(target.dtype)]


def by_pymc(model: pm.Model, target: taut.Target, zs: np.ndarray) -> list[Values]:
    """Evaluate PyMC's own expressions."""
    names = {rv.name for rv in model.unobserved_RVs}
    constrained = [v for v in model.unobserved_value_vars if v.name in names]
    outputs = [model.varlogp, model.datalogp, model.dlogp(), *constrained]
    function = model.compile_fn(outputs, mode="FAST_COMPILE", on_unused_input="ignore")
    rows = [function(target.space.unravel(z)) for z in zs]
    return [Values(*row[:3], _named(constrained, row[3:])) for row in rows]


def _named(variables: list[Any], values: list[Any]) -> dict[str, Any]:
    return {v.name: value for v, value in zip(variables, values, strict=True)}


def assert_close(actual: Any, expected: Any, rtol: float = 1e-8) -> None:
    scale = 1.0 + np.max(np.abs(expected), initial=0.0)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=0.01 * rtol * scale)
    assert np.shape(actual) == np.shape(expected)


@dataclass(frozen=True)
class Case:
    """A model, and what both say of it at the same points."""

    name: str
    target: taut.Target
    taut: list[Values]
    pymc: list[Values]


@pytest.fixture(scope="module", params=MODELS)
def case(request: pytest.FixtureRequest) -> Case:
    model = MODELS[request.param]()
    target = taut.as_target(model)
    zs = points(target.dim)
    return Case(request.param, target, by_taut(target, zs), by_pymc(model, target, zs))


def test_prior(case: Case) -> None:
    for ours, theirs in zip(case.taut, case.pymc, strict=True):
        assert_close(ours.prior, theirs.prior)


def test_likelihood(case: Case) -> None:
    for ours, theirs in zip(case.taut, case.pymc, strict=True):
        assert_close(ours.likelihood, theirs.likelihood)


def test_gradient(case: Case) -> None:
    for ours, theirs in zip(case.taut, case.pymc, strict=True):
        assert_close(ours.gradient, theirs.gradient)


def test_constrained_variables(case: Case) -> None:
    for ours, theirs in zip(case.taut, case.pymc, strict=True):
        assert set(ours.constrained) == set(theirs.constrained)
        for name, value in theirs.constrained.items():
            assert_close(ours.constrained[name], value)


def test_points_are_inside_of_the_support(case: Case) -> None:
    """Or else the comparisons above would compare infinities."""
    if case.name == "sum_to_1":
        pytest.skip("PyMC's sum_to_1 leaves its points bounded: random ones are outside of it")
    assert all(np.isfinite(v.prior) and np.isfinite(v.likelihood) for v in case.pymc)


def test_dtype(case: Case) -> None:
    assert case.target.dtype == "float64"
    for ours in case.taut:
        assert {np.asarray(v).dtype.name for v in (ours.prior, ours.likelihood, ours.gradient)} == {
            "float64"
        }


@pytest.mark.parametrize("name", IN_FLOAT32)
def test_in_32_bits(name: str) -> None:
    whole = taut.as_target(MODELS[name]())
    zs = points(whole.dim, 1)
    with pytensor.config.change_flags(floatX="float32"):
        target = taut.as_target(MODELS[name]())
        [half] = by_taut(target, zs)
    [full] = by_taut(whole, zs)
    assert target.dtype == "float32"
    assert half.prior.dtype == half.likelihood.dtype == half.gradient.dtype == np.float32
    assert_close(half.prior, full.prior, 1e-4)
    assert_close(half.likelihood, full.likelihood, 1e-4)
    assert_close(half.gradient, full.gradient, 1e-3)


def test_a_change_of_precision_lifts_again() -> None:
    model = MODELS["log"]()
    double = taut.as_target(model)
    with pytensor.config.change_flags(floatX="float32"):
        single = taut.as_target(model)
    assert (double.dtype, single.dtype) == ("float64", "float32")
    assert taut.as_target(model).dtype == "float64"


def test_numpy_points_are_taken() -> None:
    """Without a trace around them, too."""
    target = taut.as_target(MODELS["cholesky_covariance"]())
    z = points(target.dim, 1)[0]
    with target.precision():
        assert_close(target.log_density(z), target.log_density(jnp.asarray(z)))
        assert target.constrain(z).keys() == target.constrain(jnp.asarray(z)).keys()


def test_deterministics_are_first_evaluated_while_tracing() -> None:
    """Nothing of that trace may stay behind."""
    target = taut.as_target(MODELS["imputation"]())
    zs = points(target.dim, 4)
    with target.precision(), jax.checking_leaks():
        traced = jax.jit(jax.vmap(target.constrain))(zs)
        assert_close(traced["y"][2], target.constrain(zs[2])["y"])


def test_float32_data_are_not_computed_with_in_32_bits() -> None:
    """JAX alone would take float32 × scalar for float32."""
    x = np.random.default_rng(1).normal(size=100).astype("float32")
    with pm.Model() as model:
        slope = pm.Normal("slope")
        pm.Normal("y", slope * (x * 0.1 + 1 / 3), 1.0, observed=np.zeros(100))
    target = taut.as_target(model)
    z = np.array([0.7])
    [ours], [theirs] = by_taut(target, z[None]), by_pymc(model, target, z[None])
    np.testing.assert_allclose(ours.likelihood, theirs.likelihood, rtol=1e-12)


def test_potential_on_named_dims() -> None:
    """PyMC itself has no gradient of these."""
    with pm.Model(coords={"k": list("abc")}) as model:
        x = pmd.Normal("x", dims="k")
        pmd.Potential("pull", -(x**4))
    [ours] = by_taut(taut.as_target(model), (z := points(3, 1)))
    assert_close(ours.likelihood, -np.sum(z[0] ** 4))
    assert_close(ours.gradient, -z[0] - 4 * z[0] ** 3)


@pytest.mark.parametrize("check_bounds", [True, False])
def test_parameters_out_of_bounds(check_bounds: bool) -> None:
    with pm.Model(check_bounds=check_bounds) as model:
        scale = pm.Normal("scale")
        pm.Normal("y", 0.0, scale, observed=np.zeros(2))
    with (target := taut.as_target(model)).precision():
        likelihood = float(target.log_likelihood(np.array([-1.0])))
    assert likelihood == -np.inf if check_bounds else np.isnan(likelihood)


def test_empty_likelihood_is_zero() -> None:
    with (target := taut.as_target(MODELS["no_data"]())).precision():
        assert float(target.log_likelihood(np.zeros(target.dim))) == 0.0


def test_variables_keep_the_order_of_the_model() -> None:
    model = MODELS["named_dims"]()
    names = [v.name for v in model.value_vars]
    assert list(taut.as_target(model).space.names) == names


def test_labels_name_dims_and_coordinates() -> None:
    labels = taut.as_target(MODELS["named_dims"]()).labels
    assert labels.dims["table"] == ("group", "column")
    assert list(labels.coords["group"]) == ["u", "v", "w"]
    assert labels.dims["mu"] == ("row",)


def test_a_deterministic_that_draws_is_left_to_pytensor() -> None:
    with pm.Model() as model:
        x = pm.Normal("x")
        pm.Deterministic("noisy", x + pm.Normal.dist())
    target = taut.as_target(model)
    with target.precision(), pytest.warns(UserWarning, match="deterministic variables"):
        assert np.isfinite(target.constrain(np.zeros(1))["noisy"])
