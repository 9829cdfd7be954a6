"""Models of Bambi are fitted, and what comes back is what Bambi's own fit gives."""

from typing import Any

import numpy as np
import pymc
import pytest
import xarray as xr

import taut
from taut.bambi import fit
from taut.errors import ArgumentError

bambi = pytest.importorskip("bambi", reason="runs where the group `clients` is installed")
pd = pytest.importorskip("pandas")

pytestmark = pytest.mark.slow

ROWS = 200


@pytest.fixture(scope="module")
def data() -> Any:
    random = np.random.default_rng(1)
    x, group = random.normal(5.0, 1.0, ROWS), random.integers(0, 8, ROWS)
    line = -4.0 + 0.8 * x
    return pd.DataFrame({
        "x": x,
        "group": [f"g{i}" for i in group],
        "kind": np.where(group < 4, "a", "b"),
        "y": 1.0 + 2.0 * x + random.normal(0, 0.5, 8)[group] + random.normal(0.0, 0.5, ROWS),
        "hit": random.binomial(1, 1.0 / (1.0 + np.exp(-line))),
        "count": random.negative_binomial(3, 3.0 / (3.0 + np.exp(0.3 * x))),
    })  # fmt: skip


@pytest.fixture(scope="module")
def hierarchy(data: Any) -> Any:
    return bambi.Model("y ~ x + (1|group)", data, categorical="group")


@pytest.fixture(scope="module")
def draws(hierarchy: Any) -> xr.DataTree:
    return fit(hierarchy, 2000, random_seed=1, progressbar=False)


def test_draws_are_named_and_labelled_as_those_of_bambis_own_fit(
    hierarchy: Any, draws: xr.DataTree
) -> None:
    theirs = hierarchy.fit(20, tune=20, chains=1, random_seed=1, progressbar=False)["posterior"]
    ours = draws["posterior"]
    assert set(ours.data_vars) == set(theirs.data_vars)
    for name in ours.data_vars:
        assert ours[name].dims == theirs[name].dims
    assert list(ours["group__factor_dim"].values) == list(theirs["group__factor_dim"].values)
    assert ours.attrs["modeling_interface"] == "bambi"


def test_moments_are_those_of_nuts(hierarchy: Any, draws: xr.DataTree) -> None:
    """Of NUTS 4 x 1000 draws, worth more than 500: its means are right to 0.05 sd or so."""
    nuts = hierarchy.fit(1000, chains=4, cores=1, random_seed=2, progressbar=False)["posterior"]
    for name in ("Intercept", "x", "sigma", "1|group"):
        sd = nuts[name].std(("chain", "draw"))
        ours = draws["posterior"][name]
        shift = (ours.mean(("chain", "draw")) - nuts[name].mean(("chain", "draw"))) / sd
        assert float(np.abs(shift).max()) < 0.25, name
        assert float(np.abs(np.log(ours.std(("chain", "draw")) / sd)).max()) < 0.25, name


def test_the_verdict_and_the_approximation_are_at_hand(hierarchy: Any, draws: xr.DataTree) -> None:
    approx = hierarchy.backend.vi_approx
    assert isinstance(approx, taut.Approximation)
    assert draws["posterior"].attrs["verdict"] == str(approx.report.verdict)
    assert approx.trusted


def test_bambi_predicts_and_compares_from_the_draws(
    hierarchy: Any, draws: xr.DataTree, data: Any
) -> None:
    new = data.head(3).assign(x=[4.0, 5.0, 6.0], group="g1")
    told = hierarchy.predict(draws, kind="response", data=new, inplace=False, random_seed=1)
    slope = np.diff(told["posterior"]["mu"].mean(("chain", "draw")))
    np.testing.assert_allclose(slope, float(draws["posterior"]["x"].mean()), rtol=1e-6)
    assert told["posterior_predictive"]["y"].sizes["__obs__"] == 3
    likelihood = hierarchy.compute_log_likelihood(draws, inplace=False)["log_likelihood"]
    assert likelihood["y"].sizes["__obs__"] == ROWS
    moved = bambi.interpret.comparisons(hierarchy, draws, "x").summary["estimate"]
    np.testing.assert_allclose(moved, float(draws["posterior"]["x"].mean()), rtol=1e-6)


MODELS = {
    "logistic": ("hit ~ x + kind", {"family": "bernoulli"}),
    "negative binomial": ("count ~ x", {"family": "negativebinomial"}),
    "sigma by formula": (("y ~ x", "sigma ~ kind"), {}),
    "slopes of groups": ("y ~ x + (x|group)", {"categorical": "group"}),
    "smooth": ("y ~ hsgp(x, m=8, c=1.5)", {}),
}


@pytest.mark.parametrize("name", MODELS)
def test_other_models_are_fitted_and_predict(name: str, data: Any) -> None:
    formula, more = MODELS[name]
    parts = (formula,) if isinstance(formula, str) else formula
    model = bambi.Model(bambi.Formula(*parts), data, **more)
    draws = fit(model, 300, include_response_params=True, random_seed=1, progressbar=False)
    parent = model.family.likelihood.parent
    assert draws["posterior"][parent].sizes == {"chain": 1, "draw": 300, "__obs__": ROWS}
    model.predict(draws, kind="response", random_seed=1)
    observed = data[model.response_term.name].to_numpy()
    told = draws["posterior_predictive"][model.response_term.name]
    np.testing.assert_allclose(float(told.mean()), observed.mean(), atol=0.2 * observed.std())


def test_arguments_of_fit_are_handed_on_and_names_are_put_back(data: Any) -> None:
    before = pymc.sample
    model = bambi.Model("y ~ x", data)
    fit(model, 50, method="advi", n=200, random_seed=1, progressbar=False)
    assert model.backend.vi_approx.method == "ADVI"
    with pytest.raises(ArgumentError, match="tune"):
        fit(model, 50, tune=100, progressbar=False)
    assert pymc.sample is before


def test_what_is_no_model_of_bambi_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"a bambi.Model, and got a Model"):
        fit(pymc.Model())
