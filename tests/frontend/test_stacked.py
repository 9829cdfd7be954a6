"""Many log densities of one form are evaluated as one, and come to the same."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pymc as pm
import pytest

import taut
from taut.frontend.pymc.graph import stacked

PYTHON = {"mode": "FAST_COMPILE"}
MANY = 18


def normal(i: int, parents: tuple[Any, Any], rng: np.random.Generator) -> Any:
    return pm.Normal(f"x{i}", parents[0], parents[1])


def normal_of_own(i: int, parents: tuple[Any, Any], rng: np.random.Generator) -> Any:
    return pm.Normal(f"x{i}", rng.normal(), rng.uniform(0.5, 2.0))


def gamma(i: int, parents: tuple[Any, Any], rng: np.random.Generator) -> Any:
    return pm.Gamma(f"x{i}", 2.0 + rng.uniform(), parents[1])


def beta(i: int, parents: tuple[Any, Any], rng: np.random.Generator) -> Any:
    return pm.Beta(f"x{i}", 2.0, 1.5 + parents[1])


def half(i: int, parents: tuple[Any, Any], rng: np.random.Generator) -> Any:
    return pm.HalfNormal(f"x{i}", rng.uniform(0.5, 2.0))


def vector(i: int, parents: tuple[Any, Any], rng: np.random.Generator) -> Any:
    return pm.StudentT(f"x{i}", nu=4.0, mu=parents[0], sigma=1.0, shape=2 + i % 3)


def uniform(i: int, parents: tuple[Any, Any], rng: np.random.Generator) -> Any:
    return pm.Uniform(f"x{i}", -1.0, 1.0 + rng.uniform())


KINDS: list[Callable[[int, tuple[Any, Any], np.random.Generator], Any]] = [
    normal, normal_of_own, gamma, beta, half, vector, uniform,
]  # fmt: skip


def seen(i: int, x: Any, tau: Any, rng: np.random.Generator) -> Any:
    return pm.Normal(f"y{i}", x, tau, observed=rng.normal(size=3))


def seen_once(i: int, x: Any, tau: Any, rng: np.random.Generator) -> Any:
    return pm.Normal(f"y{i}", x, 1.0, observed=float(rng.normal()))


def counted(i: int, x: Any, tau: Any, rng: np.random.Generator) -> Any:
    return pm.Poisson(f"y{i}", pm.math.exp(x), observed=int(rng.integers(5)))


def weighed(i: int, x: Any, tau: Any, rng: np.random.Generator) -> Any:
    return pm.Potential(f"y{i}", -rng.uniform() * (x - tau) ** 2)


SEEN = [seen, seen_once, counted, weighed]


def mixture_of_scalars(seed: int) -> pm.Model:
    """A model of loops over a few kinds of variables, some of them observed."""
    rng = np.random.default_rng(seed)
    kinds = [KINDS[k] for k in rng.choice(len(KINDS), 2, replace=False)]
    views = [SEEN[k] for k in rng.choice(len(SEEN), 2, replace=False)]
    with pm.Model() as model:
        parents = pm.Normal("mu", 0.0, 2.0), pm.HalfNormal("tau", 1.0)
        for i in range(2 * MANY):
            x = kinds[i % 2](i, parents, rng)
            views[i % 2](i, pm.math.sum(x), parents[1], rng)
    return model


def density_at(model: pm.Model, z: np.ndarray) -> tuple[float, np.ndarray]:
    target = taut.as_target(model)
    with jax.enable_x64(True):
        value, gradient = jax.value_and_grad(target.log_density)(z)
    return float(value), np.asarray(gradient)


@pytest.mark.parametrize("seed", range(4))
def test_the_density_is_that_of_the_model_as_it_is_written(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = mixture_of_scalars(seed)
    space = taut.as_target(model).space
    z = np.random.default_rng(seed).normal(scale=0.5, size=space.dim)
    value, gradient = density_at(model, z)
    # Python's mode adds no more than 32 terms, so that they are added here.
    terms = model.compile_logp(sum=False, **PYTHON)(space.unravel(z))
    written = sum(float(np.sum(term)) for term in terms)
    np.testing.assert_allclose(value, written, rtol=1e-11)
    monkeypatch.setattr(stacked, "_FEW", 10_000)
    alone, slope = density_at(mixture_of_scalars(seed), z)
    np.testing.assert_allclose(value, alone, rtol=1e-11)
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-9)


def test_a_loop_is_one_term() -> None:
    with pm.Model() as model:
        mu, tau = pm.Normal("mu"), pm.HalfNormal("tau")
        for i in range(40):
            pm.Normal(f"x{i}", mu, tau)
    # The priors of mu and tau, and all others.
    assert len(stacked.sums_of(model.logp(sum=False))) == 3


def test_a_few_are_left_as_they_are() -> None:
    with pm.Model() as model:
        for i in range(15):
            pm.Normal(f"x{i}", float(i))
    assert len(stacked.sums_of(model.logp(sum=False))) == 15


def test_parameters_out_of_bounds_are_seen_in_each_term() -> None:
    with pm.Model() as model:
        scales = [pm.Normal(f"s{i}") for i in range(20)]
        for i, scale in enumerate(scales):
            pm.Normal(f"y{i}", 0.0, scale, observed=float(i))
    target = taut.as_target(model)
    z = np.ones(20)
    assert np.isfinite(density_at(model, z)[0])
    z[7] = -1.0
    with jax.enable_x64(True):
        assert float(target.log_density(z)) == -np.inf


def test_data_of_each_term_can_be_changed() -> None:
    with pm.Model() as model:
        mu = pm.Normal("mu")
        for i in range(20):
            pm.Normal(f"y{i}", mu, 1.0, observed=pm.Data(f"d{i}", np.zeros(2)))
        pm.set_data({"d3": np.array([5.0, 1.0, 2.0])})
    z = np.array([0.3])
    written = float(model.compile_logp(**PYTHON)({"mu": np.array(0.3)}))
    np.testing.assert_allclose(density_at(model, z)[0], written, rtol=1e-12)
