"""Where a fit starts, and how wide: values by name, and errors that say what would fit."""

from typing import Any

import numpy as np
import pymc as pm
import pytest

import taut
from taut.errors import StartError
from taut.frontend import as_source

from .models import QUIET
from .zoo.messages import message, three_variables

pytestmark = QUIET


@pytest.fixture(scope="module")
def model() -> pm.Model:
    return three_variables()


def test_start_at_the_model_s_own_point(model: pm.Model) -> None:
    start = as_source(model).start(None, 1)
    point = model.initial_point()
    np.testing.assert_allclose(start, np.concatenate([np.ravel(v) for v in point.values()]))


def test_start_takes_the_variable_s_own_space(model: pm.Model) -> None:
    space = taut.as_target(model).space
    start = as_source(model).start({"sigma": 2.0, "weights": [0.5, 0.3, 0.2]}, 1)
    values = space.unravel(start)
    assert values["sigma_log__"] == pytest.approx(np.log(2.0))
    logs = np.log([0.5, 0.3, 0.2])
    np.testing.assert_allclose(values["weights_simplex__"], logs[:2] - logs.mean())
    np.testing.assert_allclose(values["beta"], 0.0)


def test_start_takes_the_unconstrained_space(model: pm.Model) -> None:
    space = taut.as_target(model).space
    start = as_source(model).start({"sigma_log__": 0.3, "weights_simplex__": [1.0, -1.0]}, 1)
    values = space.unravel(start)
    assert values["sigma_log__"] == pytest.approx(0.3)
    np.testing.assert_allclose(values["weights_simplex__"], [1.0, -1.0])


def test_start_takes_variables(model: pm.Model) -> None:
    start = as_source(model).start
    by_name = start({"sigma": 2.0, "beta": np.ones(2)}, 1)
    by_variable = start({model["sigma"]: 2.0, model["beta"]: np.ones(2)}, 1)
    np.testing.assert_array_equal(by_name, by_variable)
    by_value = start({model.rvs_to_values[model["sigma"]]: 0.5}, 1)
    assert by_value[0] == pytest.approx(0.5)


def test_start_draws_from_the_prior_by_its_seed() -> None:
    with pm.Model() as model:
        pm.Normal("x", initval="prior", shape=3)
    start = as_source(model).start
    np.testing.assert_array_equal(start(None, 7), start(None, 7))
    assert (start(None, 7) != start(None, 8)).all()


def test_start_with_an_unknown_name(model: pm.Model) -> None:
    text = message(StartError, as_source(model).start, {"sgma": 1.0}, 1)
    assert "start names 'sgma'" in text
    assert "did you mean 'sigma'?" in text
    assert "There are: sigma, weights, beta, sigma_log__" in text


def test_start_with_an_observed_variable(model: pm.Model) -> None:
    text = message(StartError, as_source(model).start, {"y": np.zeros(3)}, 1)
    assert "'y', which is no free variable" in text


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ({"beta": np.zeros(3)}, "start['beta'] has shape (3,), but beta has shape (2,)"),
        ({"beta": 1.0}, "start['beta'] has shape (), but beta has shape (2,)"),
        ({"sigma": [1.0, 2.0]}, "start['sigma'] has shape (2,), but sigma has shape ()"),
        # The unconstrained shape is (2,).
        ({"weights": [0.5, 0.5]}, "start['weights'] has shape (2,), but weights has shape (3,)"),
        (
            {"weights_simplex__": np.zeros(3)},
            "start['weights_simplex__'] has shape (3,), but weights_simplex__ has shape (2,)",
        ),
    ],
)
def test_start_with_a_wrong_shape(model: pm.Model, start: Any, expected: str) -> None:
    assert expected in message(StartError, as_source(model).start, start, 1)


def test_start_that_maps_nothing(model: pm.Model) -> None:
    text = message(StartError, as_source(model).start, [1.0, 2.0], 1)
    assert "start must map variables, or their names, to values" in text
    assert "list" in text


def test_start_with_an_unknown_strategy(model: pm.Model) -> None:
    assert "hello" in message(StartError, as_source(model).start, {"sigma": "hello"}, 1)


def test_start_errors_reach_the_user_of_fit(model: pm.Model) -> None:
    text = message(StartError, taut.fit, 10, model=model, start={"betta": 1}, progressbar=False)
    assert "did you mean 'beta'?" in text


def test_start_sigma_by_name_value_name_and_variable(model: pm.Model) -> None:
    scales = as_source(model).start_sigma
    expected = [0.1, np.nan, np.nan, np.nan, np.nan]
    for key in ("sigma", "sigma_log__", model["sigma"]):
        np.testing.assert_array_equal(scales({key: 0.1}), expected)
    np.testing.assert_array_equal(scales(None), [np.nan] * 5)


def test_start_sigma_is_broadcast(model: pm.Model) -> None:
    scales = as_source(model).start_sigma
    np.testing.assert_array_equal(scales({"beta": 0.2})[3:], [0.2, 0.2])
    np.testing.assert_array_equal(scales({"weights": 0.3})[1:3], [0.3, 0.3])
    np.testing.assert_array_equal(scales({"beta": [0.2, 0.4]})[3:], [0.2, 0.4])


def test_start_sigma_with_an_unknown_name(model: pm.Model) -> None:
    text = message(StartError, as_source(model).start_sigma, {"betta": 0.1})
    assert "start_sigma names 'betta'" in text
    assert "did you mean 'beta'?" in text


def test_start_sigma_with_a_wrong_shape(model: pm.Model) -> None:
    text = message(StartError, as_source(model).start_sigma, {"weights": np.ones(3)})
    assert "has shape (3,)" in text
    assert "weights_simplex__ has shape (2,) in the unconstrained space" in text


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, [0.1, 0.0], "wide", None])
def test_start_sigma_that_is_no_scale(model: pm.Model, value: Any) -> None:
    text = message(StartError, as_source(model).start_sigma, {"beta": value})
    assert "start_sigma['beta'] must be > 0 and finite" in text
    assert repr(value) in text


def test_start_sigma_that_maps_nothing(model: pm.Model) -> None:
    assert "start_sigma must map" in message(StartError, as_source(model).start_sigma, [0.1])
