"""Calls written for PyMC's `fit`: its arguments, its counts, its results."""

from typing import Any

import numpy as np
import pymc
import pytensor
import pytest

import taut.pymc as pm
from taut import errors

NO_USE = (
    "compile_kwargs", "fn_kwargs", "more_obj_params", "more_tf_params", "more_updates",
    "test_optimizer", "tf_n_mc",
)  # fmt: skip


@pytest.fixture(scope="module")
def model() -> pm.Model:
    with pm.Model() as model:
        pm.Normal("mu", 4.0, 2.0, initval=0.0)
    return model


@pytest.mark.parametrize("method", ["advi", "fullrank_advi", "svgd", "ADVI", pm.ADVI, "auto"])
def test_no_steps_give_the_start(model: pm.Model, method: Any) -> None:
    approx = pm.fit(0, method, model, start={"mu": 17.0}, random_seed=1, progressbar=False)
    assert len(approx.hist) == 0
    # Particles are scattered around it.
    assert abs(float(approx.mean_data["mu"]) - 17.0) < 0.5
    assert approx.sample(5, random_seed=1)["posterior"].sizes["draw"] == 5


def test_no_steps_give_the_scale_of_the_start(model: pm.Model) -> None:
    with model:
        inference = pm.ADVI(start={"mu": 17.0}, start_sigma={"mu": 13.0})
    approx = inference.fit(n=0, progressbar=False)
    assert float(approx.std_data["mu"]) == pytest.approx(13.0)
    assert len(inference.refine(3, progressbar=False).hist) == 3


@pytest.mark.parametrize("n", [-1, True, 1.5])
def test_what_is_no_number_of_steps_is_refused(model: pm.Model, n: Any) -> None:
    with pytest.raises(ValueError, match="number of steps, must be a positive integer"):
        pm.fit(n, "advi", model, progressbar=False)


@pytest.mark.parametrize("name", NO_USE)
def test_what_has_no_use_says_what_does_the_same(model: pm.Model, name: str) -> None:
    for call in (pm.ADVI(model=model).fit, lambda **kw: pm.fit(method="advi", model=model, **kw)):
        with pytest.raises(errors.ArgumentError, match=rf"^{name} has no use in taut: .+\.$"):
            call(n=2, progressbar=False, **{name: {"a": 1}})


def test_what_has_no_use_may_be_given_as_nothing(model: pm.Model) -> None:
    nothing = dict.fromkeys(NO_USE)
    approx = pm.fit(2, "advi", model, progressbar=False, **nothing, backend=None)
    assert len(approx.hist) == 2


def test_an_argument_that_nobody_has_gets_the_nearest(model: pm.Model) -> None:
    with pytest.raises(TypeError, match=r"no argument 'calbacks' \(did you mean 'callbacks'\?\)"):
        pm.fit(2, "advi", model, calbacks=[])


def test_losses_are_at_the_scale_of_all_rows(model: pm.Model) -> None:
    approx = pm.MeanField(model=model)
    assert approx.scale_cost_to_minibatch is False
    approx.scale_cost_to_minibatch = False
    with pytest.raises(errors.ArgumentError, match="symbolic_normalizing_constant"):
        approx.scale_cost_to_minibatch = True


def test_the_posterior_of_a_minibatch_is_that_of_all_rows() -> None:
    rng = np.random.default_rng(0)
    n, sigma, sigma0, mu0 = 1000, 3.0, 2.0, 4.0
    data = sigma * rng.normal(size=n) - 5.0
    precision = n / sigma**2 + 1 / sigma0**2
    mean = (data.sum() / sigma**2 + mu0 / sigma0**2) / precision
    with pm.Model():
        mu = pm.Normal("mu", mu0, sigma0, initval=0.0)
        rows = pm.Minibatch(data, batch_size=128)
        pm.Normal("x", mu, sigma, observed=rows, total_size=n)
        inference = pm.ADVI(random_seed=42)
    optimizer = pm.adagrad_window(learning_rate=0.01, n_win=50)
    approx = inference.fit(12_000, obj_optimizer=optimizer, progressbar=False)
    assert float(approx.mean_data["mu"]) == pytest.approx(mean, rel=0.05)
    assert float(approx.std_data["mu"]) == pytest.approx(precision**-0.5, rel=0.2)


def test_data_of_a_fit_have_the_dims_of_the_model() -> None:
    coords = {"row": np.arange(3), "column": np.arange(7)}
    with pm.Model(coords=coords):
        scale = pm.HalfNormal("scale", 5.0)
        pm.Normal("group", 0.0, scale, dims=("row", "column"))
        approx = pm.fit(1, method="advi", progressbar=False)
    for data in (approx.mean_data, approx.std_data):
        assert set(data) == {"scale_log__", "group"}
        assert data["group"].sizes == {"row": 3, "column": 7}


def test_an_expression_takes_replacements_of_another_length() -> None:
    size = pytensor.shared(np.array(10), name="size")
    x = np.linspace(0.0, 10.0, 10)
    with pm.Model():
        inner = pm.Normal("inner", x, size=(size,))
        mean = inner * pm.Normal("b", 4.0)
        pm.Normal("y", mean, 0.1, shape=inner.shape, observed=4 * x)
        approx = pm.fit(10, method="advi", progressbar=False)
    assert approx.sample_node(mean).eval().shape == (10,)
    replaced = approx.sample_node(mean, more_replacements={inner: np.linspace(0.0, 10.0, 11)})
    assert replaced.eval().shape == (11,)


@pytest.mark.filterwarnings("ignore:Numba will use object mode")
def test_draws_of_a_minibatch_predict_rows_of_another_length() -> None:
    from pymc.model.transform.basic import remove_minibatched_nodes

    with pm.Model(coords={"row": [0, 1, 2]}) as model:
        x = pm.Data("x", [1.0, 2.0, 3.0], dims="row")
        y = pm.Data("y", [1.0, 2.0, 3.0], dims="row")
        x_rows, y_rows = pm.Minibatch(x, y, batch_size=2)
        beta = pm.Normal("beta", 0.0, 10.0)
        mean = pm.Deterministic("mean", beta * x_rows, dims="row")
        pm.Normal("obs", mean, 0.1, observed=y_rows, total_size=3, dims="row")
        approx = pm.fit(10, method="advi", progressbar=False)
    with remove_minibatched_nodes(model):
        draws = approx.sample(50)
        pm.set_data({"x": np.arange(5.0), "y": np.zeros(5)}, coords={"row": range(5)})
        told = pymc.sample_posterior_predictive(draws, predictions=True, progressbar=False)
    assert draws["posterior"]["beta"].shape == (1, 50)
    assert told["predictions"]["obs"].shape == (1, 50, 5)
