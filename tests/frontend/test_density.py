"""The lifted density, its gradient, its split and the constrained variables are PyMC's."""

import jax
import jax.numpy as jnp
import numpy as np
import pymc as pm
import pymc.dims as pmd
import pytensor
import pytest

import taut

from .compared import assert_close, by_pymc, by_taut, points
from .models import MODELS, QUIET

pytestmark = QUIET


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
