"""What can not be fitted is named: operations, simulators, covariates, labels."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import pytest
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

import taut
from taut.errors import ModelError, NotFiniteError

from .models import QUIET
from .zoo.cube import CubeSlope, cube
from .zoo.messages import message

pytestmark = QUIET


class Undefined(CubeSlope):
    """An op that says that its gradient is unknown."""

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        from pytensor.gradient import grad_undefined

        return [grad_undefined(self, 0, inputs[0], "nobody knows")]


class TwoResults(Op):
    """An op with an integer and a real result."""

    def make_node(self, x: Any) -> Apply:
        x = pt.as_tensor_variable(x)
        return Apply(self, [x], [pt.lscalar(), x.type()])

    def perform(self, node: Apply, inputs: Any, outputs: Any) -> None:
        outputs[0][0], outputs[1][0] = np.asarray(1), inputs[0]


@pytest.mark.parametrize(
    "op", [CubeSlope(), Undefined(), lambda x: TwoResults()(x)[1]], ids=["none", "undefined", "two"]
)
def test_an_op_without_a_gradient(op: Any) -> None:
    with pm.Model() as model:
        x, y = pm.Normal("x"), pm.Normal("y")
        pm.Potential("fine", -cube(y))
        pm.Potential("pull", -op(x))
    with warnings.catch_warnings():
        # Nothing says before that PyTensor would evaluate it instead.
        warnings.simplefilter("error")
        text = message(ModelError, taut.fit, model=model, progressbar=False)
    name = type(op).__name__ if isinstance(op, Op) else "TwoResults"
    assert f"no gradient: {name} has neither a JAX version" in text
    assert "in the density of 'pull')" in text
    assert f"jax_funcify.register({name})" in text
    assert "`pullback`" in text
    assert "sample_smc" in text


def test_an_op_without_a_gradient_on_data_alone_is_no_obstacle() -> None:
    with pm.Model() as model:
        slope = CubeSlope()(pm.Data("x", [2.0, 2.0]))[0]
        pm.Normal("y", pm.Normal("mu") + slope, 1.0, observed=12.0)
    with pytest.warns(UserWarning, match="CubeSlope"):
        target = taut.as_target(model)
    with target.precision():
        # A standard normal and one around 12, of which both are zero at its mean.
        assert float(target.log_density(np.zeros(1))) == pytest.approx(-np.log(2 * np.pi))


@pytest.mark.filterwarnings("ignore:RandomVariable Ops will stop")
@pytest.mark.filterwarnings("ignore:Calling a RandomVariable without")
def test_a_simulator_is_called_by_its_name() -> None:
    with pm.Model() as model:
        mu = pm.Normal("mu")
        pm.Simulator("heights", lambda rng, mu, size: rng.normal(mu, size=size), mu, observed=[0.0])
    text = message(ModelError, taut.as_target, model)
    assert "'heights' is a pymc.Simulator" in text
    assert "sample_smc" in text
    assert "pymc.CustomDist" in text


# Data that are not finite.


def blamed(model: pm.Model) -> str:
    return message(NotFiniteError, taut.fit, 10, model=model, method="advi", progressbar=False)


def regression(x: Any, y: Any = None) -> pm.Model:
    with pm.Model() as model:
        b = pm.Normal("b", shape=np.shape(x)[1:])
        columns = pm.Data("columns", np.zeros(np.shape(x)))
        mean = columns @ b if np.ndim(x) == 2 else columns * b
        pm.Normal("y", mean, 1.0, observed=np.zeros(len(x)) if y is None else y)
    columns.set_value(x)
    return model


def test_a_covariate_is_named_with_its_rows() -> None:
    x = np.zeros(10)
    x[[2, 5]] = np.nan
    text = blamed(regression(x))
    assert "'y': 2 of its 10 terms are nan (rows 2, 5); the data 'columns' are nan in rows" in text
    assert "where the data are 0" not in text


def test_an_element_of_a_matrix_is_named() -> None:
    x = np.zeros((10, 3))
    x[4, 1] = np.inf
    assert "the data 'columns' is inf in row (4, 1)" in blamed(regression(x))


def test_a_constant_without_a_name_is_described() -> None:
    x = np.zeros((80, 2))
    x[7, 0] = np.nan
    with pm.Model() as model:
        pm.Normal("y", x @ pm.Normal("b", shape=2), 1.0, observed=np.zeros(80))
    assert "an array without a name (80 x 2) is nan in row (7, 0)" in blamed(model)


def test_both_are_named_where_both_are_at_fault() -> None:
    x, y = np.zeros(10), np.zeros(10)
    x[2], y[3] = np.nan, np.inf
    text = blamed(regression(x, y))
    assert "where the data are 0.0, inf; the data 'columns' is nan in row 2" in text


def test_bounds_that_are_infinite_are_not_blamed() -> None:
    y = np.array([0.0, -1.0, 1.0])
    upper = np.array([np.inf, 3.0, np.inf])
    with pm.Model() as model:
        exponential = pm.Exponential.dist(pm.HalfNormal("rate"), shape=3)
        pm.Censored("y", exponential, lower=None, upper=upper, observed=y)
    text = blamed(model)
    assert "'y': 1 of its 3 terms is -inf (row 1), where the data are -1.0" in text
    assert "without a name" not in text


def test_data_of_a_potential() -> None:
    with pm.Model() as model:
        x = pm.Data("x", np.zeros(4))
        pm.Potential("p", -((pm.Normal("a") - x) ** 2))
    x.set_value([0.0, np.nan, 0.0, 0.0])
    text = blamed(model)
    assert (
        "potential 'p': 1 of its 4 terms is nan (element 1); the data 'x' is nan in row 1" in text
    )


def test_the_response_alone_is_blamed_as_before() -> None:
    y = np.zeros(10)
    y[3] = np.inf
    text = blamed(regression(np.zeros(10), y))
    assert "(row 3), where the data are inf" in text
    assert "columns" not in text


# Labels.


def in_levels() -> pm.Model:
    index = pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["letter", "number"])
    with pm.Model(coords={"cell": index, "plain": ["u", "v"]}) as model:
        mu = pm.HalfNormal("mu", dims="cell")
        pm.Normal("nu", dims=("plain", "cell"))
        pm.Normal("y", mu, 1.0, observed=np.zeros(4), dims="cell")
    return model


def test_labels_of_several_levels_cost_a_warning_not_the_draws() -> None:
    model = in_levels()
    with pytest.warns(UserWarning, match="coordinates 'cell' have several levels") as caught:
        tree = taut.fit(10, method="advi", model=model, progressbar=False).sample(10)
    assert sum("several levels" in str(one.message) for one in caught) == 1
    posterior = tree["posterior"]
    assert posterior["mu"].dims == ("chain", "draw", "cell")
    assert list(posterior["cell"].values) == [0, 1, 2, 3]
    assert list(posterior["plain"].values) == ["u", "v"]
    assert tree["observed_data"]["y"].dims == ("cell",)


def test_a_second_fit_does_not_warn_again() -> None:
    model = in_levels()
    with pytest.warns(UserWarning, match="several levels"):
        taut.as_target(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        taut.as_target(model)


def test_labels_of_one_level_are_kept() -> None:
    labels = pd.MultiIndex.from_product([["a", "b"], [1, 2]]).map(str)
    with pm.Model(coords={"cell": labels}) as model:
        pm.Normal("mu", dims="cell")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(taut.as_target(model).labels.coords["cell"]) == list(labels)
