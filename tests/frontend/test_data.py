"""Data are leaves of a target: never built into a program, always those of the moment."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.extend.core as jex_core
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

import taut
from taut.frontend.pymc import source

from .models import MODELS, QUIET
from .zoo.data import linear

pytestmark = QUIET

LARGE = 64
WITH_LARGE_DATA = [
    "named_dims", "index_constant", "index_data", "data_x_and_y", "integer_data",
    "deterministic_of_data", "shared_variable", "wide_covariance", "xarray_dims", "hsgp",
    "bernoulli_logit", "sparse_design",
]  # fmt: skip


@pytest.fixture
def lifts(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collect the models that are lifted."""
    lifted: list[Any] = []
    lift = source.lift

    def counted(model: Any, *args: Any) -> Any:
        lifted.append(model)
        return lift(model, *args)

    monkeypatch.setattr(source, "lift", counted)
    return lifted


def constants(target: taut.Target, function: Callable[..., Any]) -> list[Any]:
    """All constants of a program on the target's data, those of inner programs too."""

    def program(z: Any, data: Any) -> Any:
        return function(target.terms, z, data)

    with target.precision():
        closed = jax.make_jaxpr(program)(np.zeros(target.dim), target.data)
    return list(_constants(closed))


def _constants(closed: jex_core.ClosedJaxpr) -> Iterator[Any]:
    yield from closed.consts
    yield from _literals(closed.jaxpr)


def _literals(jaxpr: Any) -> Iterator[Any]:
    for equation in jaxpr.eqns:
        yield from (v.val for v in equation.invars if isinstance(v, jex_core.Literal))
        for parameter in jax.tree.leaves(
            equation.params,
            is_leaf=lambda x: isinstance(x, jex_core.ClosedJaxpr | jex_core.Jaxpr),
        ):
            if isinstance(parameter, jex_core.ClosedJaxpr):
                yield from _constants(parameter)
            elif isinstance(parameter, jex_core.Jaxpr):
                yield from _literals(parameter)


def density(terms: Any, z: Any, data: Any) -> Any:
    prior, likelihood = terms(z, data, ())
    return prior + likelihood


def log_density(target: taut.Target, z: Any) -> float:
    with target.precision():
        return float(target.log_density(np.asarray(z, float)))


def by_hand(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> float:
    everything = np.concatenate([z, y - x @ z])
    return float(-0.5 * everything @ everything - 0.5 * np.log(2 * np.pi) * everything.size)


@pytest.mark.parametrize("name", WITH_LARGE_DATA)
@pytest.mark.parametrize("of", [density, jax.grad(density, argnums=1)], ids=["value", "gradient"])
def test_no_large_constants_in_the_program(name: str, of: Callable[..., Any]) -> None:
    sizes = [np.size(constant) for constant in constants(taut.as_target(MODELS[name]()), of)]
    assert max(sizes, default=0) < LARGE


@pytest.mark.parametrize("name", ["data_x_and_y", "index_data", "integer_data", "xarray_dims"])
def test_shared_variables_are_leaves(name: str) -> None:
    model = MODELS[name]()
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(taut.as_target(model).data)]
    for variable in model.data_vars:
        assert any(np.array_equal(variable.get_value(), leaf) for leaf in leaves)


def test_constants_are_leaves() -> None:
    leaves = jax.tree.leaves(taut.as_target(MODELS["wide_covariance"]()).data)
    assert sorted(np.size(leaf) for leaf in leaves) == [100, 100, 10_000]


def test_no_leaf_is_a_random_generator() -> None:
    for leaf in jax.tree.leaves(taut.as_target(MODELS["named_dims"]()).data):
        assert np.issubdtype(leaf.dtype, np.number)


def test_new_data_are_seen_and_nothing_is_lifted_again(lifts: list[Any]) -> None:
    model, z = linear(80), np.array([0.3, -0.2])
    before = taut.as_target(model)
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(80, 2)), rng.normal(size=80)
    pm.set_data({"x": x, "y_data": y}, model=model)
    after = taut.as_target(model)
    assert log_density(after, z) == pytest.approx(by_hand(x, y, z), rel=1e-12)
    assert log_density(before, z) != pytest.approx(log_density(after, z))
    assert after.terms == before.terms
    assert hash(after.terms) == hash(before.terms)
    assert after.programs is before.programs
    assert lifts == [model]


def test_another_number_of_rows_lifts_nothing_again(lifts: list[Any]) -> None:
    model, z = linear(80), np.array([0.3, -0.2])
    before = taut.as_target(model)
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(95, 2)), rng.normal(size=95)
    pm.set_data({"x": x, "y_data": y}, model=model)
    after = taut.as_target(model)
    assert log_density(after, z) == pytest.approx(by_hand(x, y, z), rel=1e-12)
    assert after.terms == before.terms
    assert after.programs is before.programs
    assert len(lifts) == 1


def test_a_whole_fit_lifts_once(lifts: list[Any]) -> None:
    model = linear(80)
    for _ in range(2):
        taut.fit(200, method="advi", model=model, progressbar=False).sample(10)
    assert lifts == [model]


def test_the_same_shapes_compile_nothing_again() -> None:
    model = linear(80)
    taut.fit(200, method="advi", model=model, progressbar=False).sample(10)
    count = taut.as_target(model).programs.count
    pm.set_data({"y_data": np.ones(80)}, model=model)
    taut.fit(200, method="advi", model=model, progressbar=False).sample(10)
    assert taut.as_target(model).programs.count == count


def test_data_with_dims_and_another_number_of_rows() -> None:
    with pm.Model(coords={"row": range(70)}) as model:
        y = pm.Data("y_data", np.zeros(70), dims="row")
        mu = pm.Normal("mu")
        pm.Deterministic("shifted", y - mu, dims="row")
        pm.Normal("y", mu, 1.0, observed=y, dims="row")
    taut.as_target(model)
    pm.set_data({"y_data": np.ones(90)}, coords={"row": range(90)}, model=model)
    target = taut.as_target(model)
    assert log_density(target, [0.5]) == pytest.approx(-0.125 * 91 - 0.5 * np.log(2 * np.pi) * 91)
    with target.precision():
        assert target.constrain(np.array([0.5]))["shifted"].shape == (90,)
    assert len(target.labels.coords["row"]) == 90


def test_a_length_that_decides_a_shape(lifts: list[Any]) -> None:
    with pm.Model() as model:
        n = pm.Data("n", 7)
        pm.Potential("p", pm.Normal("x") * pt.sum(pt.arange(n) ** 2))
    first, again = taut.as_target(model), taut.as_target(model)
    assert again.terms == first.terms
    pm.set_data({"n": 4}, model=model)
    with (target := taut.as_target(model)).precision():
        assert float(target.log_likelihood(np.array([2.0]))) == 2.0 * (1 + 4 + 9)
    assert len(lifts) == 2


def test_a_mask_decides_a_shape(lifts: list[Any]) -> None:
    """JAX has to know it when it traces, so a new mask lifts again."""
    model = MODELS["mask_data"]()
    target, z = taut.as_target(model), np.arange(100.0)
    mask = model["mask"].get_value()
    model["mask"].set_value(mask[::-1].copy())
    assert log_density(target, z) != log_density(taut.as_target(model), z)
    assert len(lifts) == 2


def test_a_new_variable_lifts_again(lifts: list[Any]) -> None:
    model = linear(80)
    before = taut.as_target(model)
    with model:
        pm.Normal("more")
    after = taut.as_target(model)
    assert len(lifts) == 2
    assert after.space.names == ("beta", "more")
    assert before.space.names == ("beta",)


def test_a_new_deterministic_is_given() -> None:
    model = linear(80)
    taut.as_target(model)
    with model:
        pm.Deterministic("twice", 2 * model["beta"])
    with (target := taut.as_target(model)).precision():
        np.testing.assert_allclose(target.constrain(np.ones(2))["twice"], [2.0, 2.0])


def test_a_new_potential_counts() -> None:
    model = linear(80)
    before = log_density(taut.as_target(model), [0.0, 0.0])
    with model:
        pm.Potential("penalty", np.float64(-3.0) + 0 * model["beta"].sum())
    assert log_density(taut.as_target(model), [0.0, 0.0]) == pytest.approx(before - 3.0)


def test_changing_an_array_later_changes_no_target() -> None:
    rng = np.random.default_rng(3)
    x, y, shared = rng.normal(size=(80, 2)), rng.normal(size=80), rng.normal(size=80)
    with pm.Model() as model:
        beta = pm.Normal("beta", shape=2)
        pm.Normal("y", x @ beta + pm.Data("shift", shared), 1.0, observed=y)
    target, z = taut.as_target(model), np.array([0.5, 0.1])
    before = log_density(target, z)
    model["shift"].get_value(borrow=True)[:] += 1.0
    for array in (x, y, shared):
        array[:] = 0.0
    assert log_density(target, z) == before
