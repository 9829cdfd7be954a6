"""Errors name what is wrong, where, and what to write instead."""

from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest

import taut
from taut.errors import ArgumentError, DiscreteVariableError, ModelError, NotFiniteError
from taut.frontend import as_source

from .models import QUIET
from .zoo.messages import message, three_variables
from .zoo.minibatches import as_minibatch

pytestmark = QUIET


def blame(model: pm.Model, start: Any = None) -> str | None:
    source = as_source(model)
    return source.blame(source.start(start, 1))


# Models that can not be fitted.


def test_empty_model() -> None:
    with pm.Model() as model:
        pass
    text = message(ModelError, taut.as_target, model)
    assert "no free variables" in text
    assert "pymc.Normal('mu', 0, 1)" in text


def test_only_observed_variables() -> None:
    with pm.Model() as model:
        pm.Normal("y", 0.0, 1.0, observed=np.zeros(3))
    assert "no free variables" in message(ModelError, taut.as_target, model)


def test_discrete_variables_are_named_with_the_way_out() -> None:
    with pm.Model() as model:
        pm.Normal("x")
        pm.Poisson("count", 2.0)
        pm.Bernoulli("switched", 0.5, shape=3)
    text = message(DiscreteVariableError, taut.as_target, model)
    assert "'count', 'switched'" in text
    assert "'x'" not in text
    assert "pymc_extras.marginalize(model, ['count', 'switched'])" in text


def test_discrete_variables_stop_a_fit() -> None:
    with pm.Model() as model:
        pm.Poisson("count", 2.0)
    assert "count" in message(DiscreteVariableError, taut.fit, 10, model=model, progressbar=False)


def test_a_random_potential() -> None:
    with pm.Model() as model:
        noise = pm.Normal.dist()
        pm.Potential("p", pm.Normal("x") * noise)
    text = message(ModelError, taut.as_target, model)
    assert "draws random numbers (normal_rv" in text
    assert "Only pymc.Minibatch" in text


def test_a_parameter_that_is_no_variable() -> None:
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("x") + pm.Normal.dist(), 1.0, observed=0.0)
    assert "Random variables detected" in message(ModelError, taut.as_target, model)


def test_a_distribution_without_a_density() -> None:
    with pm.Model() as model:
        pm.CustomDist("x", random=lambda rng=None, size=None: rng.normal(size=size))
    assert "log density" in message(ModelError, taut.as_target, model)


# What is no model.


def test_no_model_on_the_context() -> None:
    for function in (taut.as_target, taut.ADVI):
        text = message(ArgumentError, function)
        assert "none is on the context" in text
        assert "taut.fit(model=model)" in text
        assert "with model:" in text


@pytest.mark.parametrize("wrong", ["model", pm.Model, np.zeros(2), {"model": 1}])
def test_an_object_that_is_no_model(wrong: Any) -> None:
    text = message(ArgumentError, taut.as_target, wrong)
    assert "must be a pymc.Model or a taut.Target" in text
    assert type(wrong).__name__ in text


def test_a_target_is_a_model() -> None:
    with pm.Model():
        pm.Normal("x")
        target = taut.as_target()
    assert taut.as_target(target) is target


# Densities that are not finite.


def test_a_finite_density_has_nothing_to_blame() -> None:
    assert blame(three_variables()) is None


def test_rows_that_are_not_finite() -> None:
    with pm.Model() as model:
        y = pm.Data("y_data", np.zeros(10))
        pm.Normal("fine", pm.Normal("mu"), 1.0, observed=np.zeros(4))
        pm.Normal("y", model["mu"], 1.0, observed=y)
    bad = np.zeros(10)
    bad[[2, 5]] = np.nan, np.inf
    y.set_value(bad)
    text = blame(model)
    assert text is not None
    assert "observed variable 'y': 2 of its 10 terms are -inf, nan (rows 2, 5)" in text
    assert "where the data are nan, inf" in text
    assert "fine" not in text
    fitted = message(NotFiniteError, taut.fit, 10, model=model, progressbar=False)
    assert text in fitted
    assert "not finite at the start point" in fitted


def test_a_list_of_rows_is_cut() -> None:
    with pm.Model() as model:
        y = pm.Data("y_data", np.zeros(50))
        pm.Normal("y", pm.Normal("mu"), 1.0, observed=y)
    y.set_value(np.full(50, np.nan))
    assert "50 of its 50 terms are nan (rows 0, 1, 2, 3, 4, …)" in str(blame(model))


def test_data_out_of_support() -> None:
    with pm.Model() as model:
        pm.Gamma("y", pm.HalfNormal("a"), 1.0, observed=[1.0, -2.0, 3.0])
    text = "observed variable 'y': 1 of its 3 terms is -inf (row 1), where the data are -2.0"
    assert text in str(blame(model))


def test_rows_that_are_vectors() -> None:
    y = np.array([[0.0, 1.0], [np.inf, 2.0], [1.0, 1.0]])
    with pm.Model() as model:
        mu = pm.Normal("mu", shape=2)
        pm.Normal("elements", mu, 1.0, observed=y)
        pm.MvNormal("vectors", mu, np.eye(2), observed=y)
    text = str(blame(model))
    assert "'elements': 1 of its 6 terms is -inf (row (1, 0)), where the data are inf" in text
    assert "'vectors': 1 of its 3 terms is -inf (row 1), where the data are [inf  2.]" in text


def test_rows_behind_a_minibatch() -> None:
    """All of them, not those of one batch."""
    whole = np.zeros(200)
    whole[123] = np.inf
    with pm.Model() as model:
        (y,) = as_minibatch(whole, size=5)
        pm.Normal("y", pm.Normal("mu"), 1.0, observed=y, total_size=200)
    text = "'y': 1 of its 200 terms is -inf (row 123), where the data are inf"
    assert text in str(blame(model))


def test_a_free_variable_out_of_its_support() -> None:
    with pm.Model() as model:
        pm.HalfNormal("x", default_transform=None, shape=3, initval=np.ones(3))
    text = str(blame(model, {"x": np.array([1.0, -1.0, 2.0])}))
    assert "free variable 'x': 1 of its 3 terms is -inf, at x = [ 1. -1.  2.]" in text


def test_a_start_out_of_a_transform_s_reach() -> None:
    model, start = three_variables(), {"sigma": -1.0}
    text = message(NotFiniteError, taut.fit, 10, model=model, start=start, progressbar=False)
    assert "free variable 'sigma': is nan, at sigma_log__ = nan" in text
    assert "start elsewhere" in text


def test_potentials_that_are_not_finite() -> None:
    with pm.Model() as model:
        x = pm.Normal("x", shape=3, initval=[1.0, -1.0, 1.0])
        pm.Potential("positive", pt.switch(x > 0, 0.0, -np.inf))
        pm.Potential("scalar", pt.log(x[1]))
    lines = str(blame(model)).splitlines()
    assert lines == [
        "  - potential 'positive': 1 of its 3 terms is -inf (element 1)",
        "  - potential 'scalar': is nan",
    ]


def test_bounds_are_blamed_as_the_model_checks_them() -> None:
    def scaled(check_bounds: bool) -> pm.Model:
        with pm.Model(check_bounds=check_bounds) as model:
            pm.Laplace("y", 0.0, pm.Normal("scale", initval=1.0), observed=[0.0, 0.0])
        return model

    assert "-inf" in str(blame(scaled(True), {"scale": -1.0}))
    assert "nan" in str(blame(scaled(False), {"scale": -1.0}))


def test_what_overflows_only_as_it_is_written_is_not_blamed() -> None:
    with pm.Model() as model:
        x = pm.Normal("x", 0.0, 1e3)
        pm.Potential("identity", -pt.log(pt.exp(x)))
    assert blame(model, {"x": 1000.0}) is None


def test_a_start_is_evaluated_in_the_precision_of_the_model() -> None:
    """A method that ends by itself starts from an array of 64 bits, which PyTensor would refuse."""
    with pytensor.config.change_flags(floatX="float32"):
        with pm.Model() as model:
            pm.Normal("y", pm.Normal("x", 0.0, 2.0), 1.0, observed=np.ones(3, "float32"))
        assert as_source(model).blame(np.zeros(1)) is None
        approx = taut.fit(method="laplace", model=model, random_seed=1, progressbar=False)
    assert approx.target.dtype == "float32"


def test_an_index_out_of_bounds_is_found_before_a_fit() -> None:
    """JAX would take the nearest element."""
    with pm.Model() as model:
        index = pm.Data("index", np.array([0, 1, 2]))
        pm.Normal("y", pm.Normal("effect", shape=3)[index], 1.0, observed=np.zeros(3))
    index.set_value(np.array([0, 1, 3], index.dtype))
    text = message(NotFiniteError, taut.fit, 10, model=model, progressbar=False)
    assert "can not be evaluated: index 3 is out of bounds" in text
