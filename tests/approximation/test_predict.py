"""A fit predicts its own rows and others, as PyMC does from the same draws."""

from typing import Any

import numpy as np
import pymc as pm
import pytest

import taut
from taut.errors import ArgumentError

ROWS = 40
X = np.random.default_rng(0).normal(size=ROWS)
Y = 2 * X + 0.3 * np.random.default_rng(1).normal(size=ROWS)


@pytest.fixture(scope="module")
def approx() -> taut.Approximation:
    with pm.Model(coords={"row": np.arange(ROWS)}) as model:
        x = pm.Data("x", X, dims="row")
        slope = pm.Normal("slope")
        mean = pm.Deterministic("mean", slope * x, dims="row")
        pm.Normal("y", mean, 0.3, observed=Y, dims="row")
    return taut.fit(model=model, random_seed=1, progressbar=False)


def test_rows_of_the_fit_are_predicted_with_their_labels(approx: taut.Approximation) -> None:
    told = approx.predict(draws=500, random_seed=1)
    y = told["posterior_predictive"]["y"]
    assert y.sizes == {"chain": 1, "draw": 500, "row": ROWS}
    np.testing.assert_array_equal(y["row"], np.arange(ROWS))
    np.testing.assert_array_equal(told["observed_data"]["y"], Y)
    assert abs(y.mean(("chain", "draw")) - 2 * X).max() < 0.2
    # The noise of rows is their own.
    assert float(y.std("draw").mean()) == pytest.approx(0.3, rel=0.1)


def test_new_rows_are_predicted_and_the_model_keeps_its_own(approx: taut.Approximation) -> None:
    told = approx.predict(
        {"x": [1.0, 10.0]}, coords={"row": ["a", "b"]}, var_names=["y", "mean"], random_seed=1
    )
    assert list(told["predictions"]["y"]["row"].values) == ["a", "b"]
    np.testing.assert_array_equal(told["predictions_constant_data"]["x"], [1.0, 10.0])
    noise = told["predictions"]["y"] - told["predictions"]["mean"]
    assert float(noise.std()) == pytest.approx(0.3, rel=0.1)
    np.testing.assert_array_equal(approx.model["x"].get_value(), X)


def test_the_same_seed_gives_the_same_and_fewer_draws_are_the_first(
    approx: taut.Approximation,
) -> None:
    def y(draws: int) -> np.ndarray:
        told = approx.predict({"x": np.ones(3)}, draws=draws, random_seed=4)
        return told["predictions"]["y"].values

    np.testing.assert_array_equal(y(20), y(20))
    np.testing.assert_array_equal(y(20)[:, :5], y(5))


LIKELIHOODS: dict[str, Any] = {
    "bernoulli": lambda mu, **of: pm.Bernoulli("y", logit_p=mu, **of),
    "categorical": lambda mu, **of: pm.Categorical(
        "y", p=pm.math.stack([0.2 + 0 * mu, 0.5 + 0 * mu, 0.3 + 0 * mu], axis=-1), **of
    ),
    "half_normal": lambda mu, **of: pm.HalfNormal("y", pm.math.exp(mu), **of),
    "log_normal": lambda mu, **of: pm.LogNormal("y", mu, 0.5, **of),
    "negative_binomial": lambda mu, **of: pm.NegativeBinomial(
        "y", mu=pm.math.exp(mu), alpha=3.0, **of
    ),
    "poisson": lambda mu, **of: pm.Poisson("y", pm.math.exp(mu), **of),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_what_is_drawn_has_the_moments_of_pymcs_draws(name: str) -> None:
    """And gets the length of new data, though the variable was written without dims."""
    with pm.Model() as model:
        x = pm.Data("x", np.linspace(-1, 1, 5))
        slope = pm.Normal("slope", 1.0, 0.01)
        LIKELIHOODS[name](slope * x, observed=np.ones(5, int))
    approx = taut.MeanField(model=model, start_sigma={"slope": 1e-6}, start={"slope": 1.0})
    told = approx.predict({"x": np.full(2, 0.7)}, draws=4000, random_seed=1)["predictions"]["y"]
    assert told.sizes["y_dim_0"] == 2
    with pm.Model():
        theirs = pm.draw(LIKELIHOODS[name](np.full(2, 0.7)), 8000, random_seed=2)
    assert told.dtype.kind == theirs.dtype.kind
    error = theirs.std() / np.sqrt(8000)
    assert abs(float(told.mean()) - theirs.mean()) < 5 * error
    assert float(told.std()) == pytest.approx(theirs.std(), rel=0.1)


def test_an_observed_variable_of_another_one_follows_its_draws() -> None:
    with pm.Model() as model:
        first = pm.Normal("first", pm.Normal("b"), 1.0, observed=np.zeros(3))
        pm.Normal("second", 2 * first, 1e-6, observed=np.zeros(3))
    told = taut.MeanField(model=model).predict(draws=10, random_seed=1)["posterior_predictive"]
    np.testing.assert_allclose(told["second"].values, 2 * told["first"].values, atol=1e-4)


def test_rows_of_a_minibatch_are_all_predicted() -> None:
    with pm.Model() as model:
        x, y = pm.Data("x", X), pm.Data("y_rows", Y)
        x_batch, y_batch = pm.Minibatch(x, y, batch_size=10)
        pm.Normal("y", pm.Normal("b") * x_batch, 0.3, observed=y_batch, total_size=ROWS)
    approx = taut.MeanField(model=model)
    told = approx.predict(draws=10, random_seed=1)["posterior_predictive"]["y"]
    assert told.shape == (1, 10, ROWS)
    told = approx.predict({"x": np.ones(3)}, draws=10, random_seed=1)["predictions"]["y"]
    assert told.shape == (1, 10, 3)


@pytest.mark.parametrize(
    ("data", "more", "words"),
    [
        ({"z": [1.0]}, {}, "no pm.Data 'z'"),
        ({"x": [1.0]}, {"var_names": ["slop"]}, "did you mean 'slope'"),
        ({"x": [1.0]}, {"var_names": []}, "observes nothing"),
        ([1.0], {}, "data must be a dict"),
        ({"x": [[1.0]]}, {}, "of 2 axes; it has 1"),
        ({"x": [1.0, 2.0]}, {"coords": {"row": ["a"]}}, "1 labels for 'row'.* 2 elements"),
        ({"x": [1.0]}, {"coords": {"rows": ["a"]}}, "'rows', which nothing.*'row'"),
    ],
)
def test_what_can_not_be_predicted_is_refused(
    approx: taut.Approximation, data: Any, more: Any, words: str
) -> None:
    with pytest.raises(ArgumentError, match=words):
        approx.predict(data, **more)


def test_data_that_do_not_fit_together_are_refused() -> None:
    with pm.Model(coords={"row": range(4)}) as model:
        one, two = pm.Data("one", np.ones(4), dims="row"), pm.Data("two", np.ones(4), dims="row")
        pm.Normal("y", pm.Normal("b") * one + two, observed=np.ones(4))
    approx = taut.MeanField(model=model)
    with pytest.raises(ArgumentError, match="Give all data that have these rows"):
        approx.predict({"one": np.ones(7)})
    with pytest.raises(ArgumentError, match="two has 3 along 'row'"):
        approx.predict({"one": np.ones(7), "two": np.ones(3)})


def test_new_data_keep_their_dims_and_labels() -> None:
    with pm.Model(coords={"row": range(4), "kind": ["a", "b"]}) as model:
        x = pm.Data("x", np.ones((4, 2)), dims=("row", "kind"))
        b = pm.Normal("b", dims="kind")
        pm.Normal("y", x @ b, observed=np.ones(4), dims="row")
    told = taut.MeanField(model=model).predict({"x": np.ones((3, 2))}, draws=5)
    given = told["predictions_constant_data"]["x"]
    assert given.dims == ("row", "kind")
    assert list(given["kind"].values) == ["a", "b"]
    # Those of the fit are not of new rows.
    assert "row" not in given.coords


def test_groups_that_the_fit_has_not_seen_are_refused() -> None:
    """JAX would take the last group for them, without a word."""
    with pm.Model() as model:
        group = pm.Data("group", np.array([0, 1, 2, 0]))
        level = pm.Normal("level", shape=3)
        pm.Normal("y", level[group], 0.1, observed=np.zeros(4))
    approx = taut.MeanField(model=model)
    assert approx.predict({"group": [2, -1]}, draws=5)["predictions"]["y"].shape == (1, 5, 2)
    with pytest.raises(ArgumentError, match="index 3 is out of bounds for axis 0 with size 3"):
        approx.predict({"group": [1, 3]}, draws=5)


def test_a_target_written_by_hand_predicts_nothing() -> None:
    from cases import regression

    with pytest.raises(ArgumentError, match="written by hand"):
        taut.MeanField(model=regression(2).target()).predict()
