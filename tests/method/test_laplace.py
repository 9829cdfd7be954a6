"""Laplace's approximation against closed forms, and what it says where there is none."""

import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytest
from jaxtyping import Array

import taut
from taut.target import Space

pytestmark = pytest.mark.statistical


def target(density: object, dim: int) -> taut.Target:
    """A target by a function of the vector."""
    return taut.Target(lambda z, data, batch: (density(z), 0.0), Space.of({"z": (dim,)}))  # type: ignore[operator]


def test_a_gamma_density_has_the_known_mode_and_curvature() -> None:
    """In the log x a Gamma(a, b) has its mode at log(a/b) and curvature a there."""
    with pm.Model() as model:
        pm.Gamma("x", 4.0, 2.0)
    approx = taut.Laplace(model=model, random_seed=1).fit(progressbar=False)
    assert float(approx.mean.eval()[0]) == pytest.approx(np.log(2.0), abs=1e-8)
    assert float(approx.std.eval()[0]) == pytest.approx(0.5, abs=1e-8)
    assert approx.stopped == "the mode has been found"


def test_scales_a_million_apart_are_no_obstacle() -> None:
    scales = np.logspace(-3, 3, 20)
    mean = np.arange(20.0)
    gaussian = target(lambda z: -0.5 * jnp.sum(((z - mean) / scales) ** 2), 20)
    approx = taut.Laplace(model=gaussian, random_seed=1).fit(progressbar=False)
    with gaussian.precision():
        np.testing.assert_allclose(approx.family.mean(), mean, atol=1e-6)
        np.testing.assert_allclose(approx.family.std(), scales, rtol=1e-6)


def test_walls_and_valleys_are_passed() -> None:
    """Rosenbrock's valley, with no density left of it: the mode is at (1, 1)."""

    def valley(z: Array) -> Array:
        value = -((1 - z[0]) ** 2) - 100 * (z[1] - z[0] ** 2) ** 2
        return jnp.where(z[0] < -1.5, jnp.nan, value)

    bent = target(valley, 2)
    approx = taut.Laplace(model=bent, random_seed=1, start={"z": [-1.2, 1.0]})
    fit = approx.fit(progressbar=False)
    with bent.precision():
        np.testing.assert_allclose(fit.family.mean(), [1.0, 1.0], atol=1e-6)
        hessian = np.array([[802.0, -400.0], [-400.0, 200.0]])
        np.testing.assert_allclose(fit.family.cov(), np.linalg.inv(hessian), rtol=1e-5)


def test_a_flat_direction_is_told_and_warned_of() -> None:
    flat = target(lambda z: -0.5 * z[0] ** 2 + 0.0 * z[1], 2)
    with pytest.warns(UserWarning, match="not negative definite"):
        approx = taut.Laplace(model=flat, random_seed=1).fit(progressbar=False)
    assert approx.stopped is not None
    assert "in 1 of 2 directions" in approx.stopped
    with flat.precision():
        assert float(approx.family.std()[0]) == pytest.approx(1.0)
        assert np.isfinite(approx.family.cov()).all()


def test_large_models_are_refused_with_advice() -> None:
    with pytest.raises(taut.errors.ArgumentError, match=r"1,001 dimensions.*dadvi"):
        taut.Laplace(model=target(lambda z: -jnp.sum(z**2), 1001))
