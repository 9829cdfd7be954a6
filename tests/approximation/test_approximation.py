"""The result: draws, moments, views, and what they are labelled with."""

from contextlib import AbstractContextManager

import numpy as np
import pymc as pm
import pytensor
import pytest
import xarray as xr
from pymc.backends.base import MultiTrace
from scipy import stats

import taut
from taut import errors

COORDS = {"group": ["a", "b", "c"], "row": [10, 20, 30, 40]}


@pytest.fixture(scope="module")
def model() -> pm.Model:
    with pm.Model(coords=COORDS) as model:
        sigma = pm.HalfNormal("sigma", 1.0)
        effect = pm.Normal("effect", 0.0, sigma, dims="group")
        share = pm.Dirichlet("share", np.ones(3), dims="group")
        pm.Deterministic("twice", 2 * effect, dims="group")
        x = pm.Data("x", np.array([0, 1, 2, 0]), dims="row")
        pm.Normal("y", effect[x] + share[x], 1.0, observed=[1.0, 2.0, 0.5, 1.5], dims="row")
    return model


@pytest.fixture(scope="module")
def approx(model: pm.Model) -> taut.Approximation:
    return taut.fit(500, method="advi", model=model, random_seed=1, progressbar=False)


@pytest.fixture(scope="module")
def draws(approx: taut.Approximation) -> xr.DataTree:
    return approx.sample(600, random_seed=1)


def test_draws_have_the_models_names_dims_and_coords(draws: xr.DataTree) -> None:
    posterior = draws["posterior"]
    assert set(posterior.data_vars) == {"sigma", "effect", "share", "twice"}
    assert posterior["effect"].dims == ("chain", "draw", "group")
    assert list(posterior["effect"]["group"].values) == COORDS["group"]
    assert posterior.sizes["draw"] == 600
    assert posterior.sizes["chain"] == 1


def test_draws_are_constrained_and_deterministics_follow(draws: xr.DataTree) -> None:
    posterior = draws["posterior"]
    assert (posterior["sigma"] > 0).all()
    np.testing.assert_allclose(posterior["share"].sum("group"), 1.0)
    np.testing.assert_allclose(posterior["twice"], 2 * posterior["effect"])


def test_unconstrained_draws_map_to_the_constrained_ones(draws: xr.DataTree) -> None:
    unconstrained = draws["unconstrained_posterior"]
    assert set(unconstrained.data_vars) == {"sigma_log__", "effect", "share_simplex__"}
    np.testing.assert_allclose(
        np.exp(unconstrained["sigma_log__"]), draws["posterior"]["sigma"], rtol=1e-12
    )
    assert unconstrained["effect"].dims == ("chain", "draw", "group")
    assert unconstrained["share_simplex__"].shape == (1, 600, 2)


def test_very_many_rows_are_not_read_for_what_nobody_asked_for(
    approx: taut.Approximation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "of 2,000 after weighting" in str(approx.diagnose(chains=False, random_seed=1))
    monkeypatch.setattr("taut.approximation.draws._MOST_READ", 599)
    monkeypatch.setattr("taut.approximation.trust._MANY_ROWS", 0)
    assert set(approx.sample(600, random_seed=1)["sample_stats"].data_vars) == {"log_q"}
    assert "of 500 after weighting" in str(approx.diagnose(chains=False, random_seed=1))


def test_densities_of_draws_are_pymcs_and_scipys(
    model: pm.Model, approx: taut.Approximation, draws: xr.DataTree
) -> None:
    logp = model.compile_logp(mode="FAST_COMPILE")
    unconstrained = draws["unconstrained_posterior"]
    names = [value.name for value in model.value_vars]
    q = stats.norm(approx.mean.eval(), approx.std.eval())
    for i in (0, 7, 599):
        point = {name: unconstrained[name].values[0, i] for name in names}
        assert draws["sample_stats"]["lp"].values[0, i] == pytest.approx(logp(point), rel=1e-9)
        flat = np.concatenate([np.ravel(value) for value in point.values()])
        expected = q.logpdf(flat).sum()
        assert draws["sample_stats"]["log_q"].values[0, i] == pytest.approx(expected, rel=1e-9)


def test_history_data_and_attributes_travel_with_the_draws(
    approx: taut.Approximation, draws: xr.DataTree
) -> None:
    np.testing.assert_array_equal(draws["fit"]["loss"], approx.hist)
    np.testing.assert_array_equal(draws["observed_data"]["y"], [1.0, 2.0, 0.5, 1.5])
    assert draws["observed_data"]["y"].dims == ("row",)
    np.testing.assert_array_equal(draws["constant_data"]["x"], [0, 1, 2, 0])
    for node in (draws, draws["posterior"]):
        assert node.attrs["inference_library"] == "taut"
        assert node.attrs["inference_method"] == "variational inference"
        assert node.attrs["variational_family"] == "MeanField"
        assert node.attrs["steps"] == 500


def test_attributes_are_of_types_that_files_hold(draws: xr.DataTree) -> None:
    for node in draws.subtree:
        for value in node.attrs.values():
            assert isinstance(value, str | int | float | list)


def test_moments_of_draws_are_those_of_the_approximation(
    approx: taut.Approximation, draws: xr.DataTree
) -> None:
    """Means of 600 draws are within 5 standard errors; 1 in 1.7 million would not be."""
    effect = draws["unconstrained_posterior"]["effect"].values[0]
    start = approx.target.space["effect"].slice
    mean, std = approx.mean.eval()[start], approx.std.eval()[start]
    assert (np.abs(effect.mean(0) - mean) < 5 * std / np.sqrt(600)).all()
    assert (np.abs(effect.std(0) / std - 1) < 5 / np.sqrt(1200)).all()


def test_seeded_draws_repeat_and_fewer_are_the_first_of_more(approx: taut.Approximation) -> None:
    long = approx.sample(600, random_seed=5)["posterior"]["effect"]
    short = approx.sample(10, random_seed=5)["posterior"]["effect"]
    np.testing.assert_array_equal(short, long[:, :10])


def test_unseeded_draws_are_fresh_and_decided_by_the_seed_of_the_fit(model: pm.Model) -> None:
    fits = [
        taut.fit(5, method="advi", model=model, random_seed=3, progressbar=False) for _ in range(2)
    ]
    first, second = ([fit.sample(5) for _ in range(2)] for fit in fits)
    sigma = [[d["posterior"]["sigma"].values for d in of_fit] for of_fit in (first, second)]
    assert not np.array_equal(sigma[0][0], sigma[0][1])
    np.testing.assert_array_equal(sigma[0], sigma[1])


def test_transformed_variables_join_the_posterior_when_asked(
    model: pm.Model, approx: taut.Approximation
) -> None:
    asked = approx.sample(5, include_transformed=True)["posterior"]
    assert {"sigma_log__", "share_simplex__"} < set(asked.data_vars)
    told = taut.fit(5, method="advi", model=model, include_transformed=True, progressbar=False)
    assert "sigma_log__" in told.sample(5)["posterior"]


def test_a_multitrace_is_given_when_asked(approx: taut.Approximation) -> None:
    trace = approx.sample(20, random_seed=1, return_inferencedata=False)
    assert isinstance(trace, MultiTrace)
    assert len(trace) == 20
    assert set(trace.varnames) >= {"sigma", "sigma_log__", "effect", "share", "twice"}
    tree = approx.sample(20, random_seed=1)["posterior"]
    np.testing.assert_array_equal(trace["effect"], tree["effect"][0])
    np.testing.assert_allclose(trace.point(3)["sigma_log__"], np.log(trace["sigma"][3]))


def test_predictions_and_log_likelihoods_work_on_the_draws(
    model: pm.Model, approx: taut.Approximation
) -> None:
    draws = approx.sample(20, random_seed=1)
    with model, pytensor_in_python():
        predictions = pm.sample_posterior_predictive(draws, random_seed=1, progressbar=False)
        pm.compute_log_likelihood(draws, progressbar=False)
    assert predictions["posterior_predictive"]["y"].shape == (1, 20, 4)
    posterior = draws["posterior"]
    x, y = np.array([0, 1, 2, 0]), np.array([1.0, 2.0, 0.5, 1.5])
    mean = (posterior["effect"] + posterior["share"]).values[0][:, x]
    np.testing.assert_allclose(draws["log_likelihood"]["y"][0], stats.norm(mean, 1.0).logpdf(y))


def pytensor_in_python() -> AbstractContextManager[None]:
    """Keep PyMC's functions from being compiled, which takes longer than running them."""
    return pytensor.config.change_flags(mode="FAST_COMPILE")


def test_views_are_one_object_and_follow_the_fit(model: pm.Model) -> None:
    advi = taut.ADVI(model=model, random_seed=1)
    mean, std, cov = advi.approx.mean, advi.approx.std, advi.approx.cov
    total = mean.sum()
    before = mean.get_value()
    advi.fit(50, obj_optimizer=taut.adam(0.05), progressbar=False)
    assert advi.approx.mean is mean
    assert not np.array_equal(mean.get_value(), before)
    assert total.eval() == pytest.approx(mean.get_value().sum())
    np.testing.assert_allclose(cov.get_value(), np.diag(std.get_value() ** 2))
    assert list(advi.approx.shared_params) == ["mu", "rho"]
    np.testing.assert_array_equal(
        advi.approx.shared_params["mu"].get_value(), advi.approx.parameters["mu"]
    )


def test_moments_are_labelled_by_variable(approx: taut.Approximation) -> None:
    mean, std = approx.mean_data, approx.std_data
    assert list(mean.data_vars) == ["sigma_log__", "effect", "share_simplex__"]
    assert mean["effect"].dims == ("group",)
    assert list(mean["effect"]["group"].values) == COORDS["group"]
    np.testing.assert_array_equal(std["effect"], approx.std.eval()[1:4])


def test_full_rank_moments_agree_with_its_factor(model: pm.Model) -> None:
    approx = taut.fit(200, "fullrank_advi", model=model, random_seed=1, progressbar=False)
    packed = approx.parameters["L_tril"]
    d = approx.ndim
    factor = np.zeros((d, d))
    factor[np.tril_indices(d)] = packed
    np.fill_diagonal(factor, np.log1p(np.exp(factor.diagonal())))
    np.testing.assert_allclose(approx.cov.eval(), factor @ factor.T)
    np.testing.assert_allclose(approx.std.eval(), np.sqrt(np.diag(factor @ factor.T)))


@pytest.mark.parametrize("draws", [0, -3, 2.5, True])
def test_draws_have_to_be_a_positive_integer(approx: taut.Approximation, draws: object) -> None:
    with pytest.raises(errors.ArgumentError, match="draws must be a positive integer"):
        approx.sample(draws)  # pyright: ignore[reportArgumentType]


def test_it_prints_in_a_terminal_and_in_a_notebook(approx: taut.Approximation) -> None:
    assert repr(approx).startswith("<Approximation MeanField of 3 variables (6 dimensions): 500")
    lines = str(approx).splitlines()
    assert lines[1].split() == ["mean", "sd", "eti89_lb", "eti89_ub"]
    assert [line.split()[0] for line in lines[2:5]] == ["sigma", "effect[a]", "effect[b]"]
    html = approx._repr_html_()
    assert "<table>" in html
    assert "&lt;Approximation" in html


def test_minibatch_results_have_all_rows() -> None:
    data = np.random.default_rng(0).normal(2.0, 1.0, size=1000)
    with pm.Model() as model:
        batch = pm.Minibatch(data, batch_size=50)
        mu = pm.Normal("mu", 0.0, 10.0)
        pm.Normal("y", mu, 1.0, observed=batch, total_size=1000)
    approx = taut.fit(
        6000,
        method="advi",
        model=model,
        random_seed=1,
        obj_optimizer=taut.adam(0.01),
        progressbar=False,
    )
    draws = approx.sample(500, random_seed=1)
    assert draws["observed_data"]["y"].shape == (1000,)
    # The posterior of the mean is N(2.0, 0.0316); a scale forgotten would give 0.14.
    assert float(draws["posterior"]["mu"].std()) == pytest.approx(0.0316, rel=0.25)
    assert float(draws["posterior"]["mu"].mean()) == pytest.approx(data.mean(), abs=0.05)
    # The history is on the scale of all rows: near the negative log evidence.
    exact = -stats.norm(data.mean(), 1.0).logpdf(data).sum()
    assert approx.hist[-1000:].mean() == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize(
    "name", ["hist", "stopped", "skipped", "method", "timing", "journal", "include_transformed"]
)
def test_what_is_told_of_a_fit_has_one_writer(approx: taut.Approximation, name: str) -> None:
    """It can be read, and is written by `publish` alone, not by a name that nothing looks at."""
    assert hasattr(approx, name)
    with pytest.raises(AttributeError):
        setattr(approx, name, None)
