"""A fit goes on with new rows, and is a prior for them."""

from functools import cache
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pymc as pm
import pytest

import taut
from taut.diagnose import Outcome
from taut.errors import ArgumentError, DataSetError, StorageError

MONTHS = [np.array([1.5, 2.5]), np.array([2.0, 4.0, 3.0]), np.array([0.5])]
QUIET: dict[str, Any] = {"random_seed": 1, "progressbar": False}


def mean_of(y: Any) -> Any:
    with pm.Model() as model:
        y_obs = pm.Data("y_obs", np.asarray(y, float))
        mu = pm.Normal("mu", 0.0, 10.0)
        pm.Normal("y", mu, 1.0, observed=y_obs)
    return model


def known_mean(y: Any) -> tuple[float, float]:
    precision = 0.01 + len(y)
    return float(np.sum(y)) / precision, precision**-0.5


@cache
def of_months() -> list[taut.Approximation]:
    """Return the fit of the first month, and the updates by the others."""
    found = [taut.fit(model=mean_of(MONTHS[0]), **QUIET)]
    for month in MONTHS[1:]:
        found.append(found[-1].update({"y_obs": month}, random_seed=1))
    return found


def logistic(data: dict[str, np.ndarray]) -> Any:
    with pm.Model() as model:
        x, y = pm.Data("x", data["x"]), pm.Data("y_obs", data["y_obs"])
        slope = pm.Normal("slope", 0.0, 1.0, shape=data["x"].shape[1])
        pm.Bernoulli("y", logit_p=pm.Normal("base", 0.0, 2.0) + x @ slope, observed=y)
    return model


def clicks(count: int, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 3))
    odds = 1.0 / (1.0 + np.exp(0.3 - x @ np.array([1.0, -0.5, 0.0])))
    return {"x": x, "y_obs": random.binomial(1, odds)}


def joined(sets: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([one[name] for one in sets]) for name in sets[0]}


def away(approx: taut.Approximation, other: taut.Approximation) -> float:
    """Return how far means are apart, in standard deviations of the other."""
    apart = (approx.mean_data - other.mean_data) / other.std_data
    return max(float(np.abs(one).max()) for one in apart.values())


@pytest.mark.parametrize("months", range(1, 4))
def test_a_normal_mean_has_the_posterior_of_all_rows(months: int) -> None:
    """Quadratics are the likelihood here: what is left is the fit's own error."""
    mean, std = known_mean(np.concatenate(MONTHS[:months]))
    approx = of_months()[months - 1]
    assert approx.trusted
    assert abs(float(approx.mean_data["mu"]) - mean) < 0.01 * std
    assert abs(float(approx.std_data["mu"]) / std - 1.0) < 0.01


def test_updates_are_as_a_fit_of_all_rows() -> None:
    """Within a tenth of a standard deviation, after five months of several hundred rows."""
    months = [clicks(count, seed) for seed, count in enumerate((300, 400, 300, 500, 350))]
    approx = taut.fit(model=logistic(months[0]), **QUIET)
    for seed, month in enumerate(months[1:]):
        approx = approx.update(month, random_seed=seed)
        assert approx.trusted
    assert approx.report.journal.outcome in (Outcome.EXACT, Outcome.WEIGHED)
    assert "of 4 fits" in str(approx.report)
    whole = taut.fit(model=logistic(joined(months)), **QUIET)
    assert away(approx, whole) < 0.1
    assert np.allclose(approx.std_data["slope"], whole.std_data["slope"], rtol=0.05)


def test_unknown_scales_and_known_groups_are_as_a_fit_of_all_rows() -> None:
    random = np.random.default_rng(3)
    level = random.normal(1.0, 0.6, 6)

    def drawn(count: int) -> dict[str, np.ndarray]:
        group = random.integers(0, 6, count)
        return {"group": group, "y_obs": random.normal(level[group], 0.8)}

    def build(data: dict[str, np.ndarray]) -> Any:
        with pm.Model() as model:
            group, y = pm.Data("group", data["group"]), pm.Data("y_obs", data["y_obs"])
            mu, tau = pm.Normal("mu", 0.0, 2.0), pm.HalfNormal("tau", 1.0)
            theta = pm.Normal("theta", mu, tau, shape=6)
            pm.Normal("y", theta[group], pm.HalfNormal("sigma", 1.0), observed=y)
        return model

    months = [drawn(count) for count in (300, 400, 350)]
    approx = taut.fit(model=build(months[0]), **QUIET)
    for seed, month in enumerate(months[1:]):
        approx = approx.update(month, random_seed=seed)
    assert away(approx, taut.fit(model=build(joined(months)), **QUIET)) < 0.1


def test_rows_that_no_quadratic_stands_for_are_told_and_old_ones_mend_it() -> None:
    months = [clicks(12, seed) for seed in range(5)]
    whole = taut.fit(model=logistic(joined(months)), **QUIET)
    approx = taut.fit(model=logistic(months[0]), **QUIET)
    with pytest.warns(UserWarning, match="earlier rows stand in it as quadratics"):
        for seed, month in enumerate(months[1:-1]):
            approx = approx.update(month, random_seed=seed)
        alone = approx.update(months[-1], random_seed=9)
    assert alone.journal.outcome is Outcome.DRIFTED
    assert "earlier rows would move a mean by" in str(alone.report.verdict)
    beside = approx.update(months[-1], old=months[:-1], random_seed=9)
    assert away(beside, whole) < 0.5 * away(alone, whole)


def test_months_of_like_lengths_compile_nothing_new() -> None:
    approx = of_months()[-1]
    before = approx.target.programs.count
    approx.update({"y_obs": np.linspace(0.0, 3.0, 100)}, random_seed=1)
    assert approx.target.programs.count == before


def test_equal_seeds_give_equal_results_and_the_fit_stays_as_it_is() -> None:
    first = of_months()[0]
    found = [first.update({"y": MONTHS[1]}, random_seed=7) for _ in range(2)]
    assert np.array_equal(found[0].mean_data["mu"], found[1].mean_data["mu"])
    assert first.model.data_vars[0].get_value().tolist() == MONTHS[0].tolist()


def test_a_family_is_still_shown_with_a_warning() -> None:
    approx = taut.Approximation([taut.Group(None, "mf")], model=mean_of(MONTHS[0]), random_seed=1)
    family = taut.family.FullRank.at(np.array([2.0]), np.array([0.5]))
    with pytest.warns(DeprecationWarning, match=r"approx\.show"):
        assert approx.update(family) is approx  # pyright: ignore[reportArgumentType]
    assert approx.family is family


def test_a_prior_is_the_posterior_of_the_rows_that_were_seen() -> None:
    """For taut and for PyMC: its log density differs from the exact one by a constant."""
    prior = of_months()[1].as_prior(random_seed=1)
    model = prior.add_to(mean_of(MONTHS[2]))
    mean, std = known_mean(np.concatenate(MONTHS[:2]))
    at = np.array([-1.0, 0.0, 2.0, 5.0])
    logp = model.compile_logp()
    found = np.array([logp({"mu": one}) for one in at])
    exact = -0.5 * ((at - mean) / std) ** 2 - 0.5 * ((at - MONTHS[2][0]) ** 2)
    assert np.ptp(found - exact) < 1e-3
    approx = taut.fit(model=model, **QUIET)
    assert away(approx, of_months()[2]) < 0.02


def test_a_prior_outlives_its_process_and_carries_on(tmp_path: Path) -> None:
    """Month by month in other processes: each has the prior of the one before."""
    for i, month in enumerate(MONTHS):
        model = mean_of(month)
        if i:
            taut.Prior.load(tmp_path / f"{i - 1}.prior").add_to(model)
        approx = taut.fit(model=model, **QUIET)
        approx.as_prior(random_seed=1).save(tmp_path / f"{i}.prior")
    mean, std = known_mean(np.concatenate(MONTHS))
    assert abs(float(approx.mean_data["mu"]) - mean) < 0.01 * std
    assert "the rows of 3 fits" in repr(taut.Prior.load(tmp_path / "2.prior"))
    approx.save(tmp_path / "a.fit")
    with pytest.raises(StorageError, match="is no prior"):
        taut.Prior.load(tmp_path / "a.fit")


def test_an_updated_fit_that_was_saved_or_pickled_goes_on(tmp_path: Path) -> None:
    approx = of_months()[1]
    approx.save(tmp_path / "b.fit")
    loaded = taut.load(tmp_path / "b.fit", model=mean_of(MONTHS[1]))
    for again in (loaded, cloudpickle.loads(cloudpickle.dumps(approx))):
        last = again.update({"y_obs": MONTHS[2]}, random_seed=1)
        assert away(last, of_months()[2]) < 0.02


def grouped(sites: str, site: Any, y: Any) -> Any:
    with pm.Model(coords={"site": list(sites)}) as model:
        index = pm.Data("index", np.array([sites.index(one) for one in site]))
        y_obs = pm.Data("y_obs", np.asarray(y, float))
        mu = pm.Normal("mu", 0.0, 2.0)
        level = pm.Normal("level", mu, 1.0, dims="site")
        pm.Normal("y", level[index], 1.0, observed=y_obs)
    return model


def test_groups_that_are_known_are_found_by_their_labels_and_others_come() -> None:
    first = taut.fit(model=grouped("ab", "aabb", [0.0, 1.0, 3.0, 4.0]), **QUIET)
    more = grouped("cba", "cab", [2.0, 0.5, 3.5])
    approx = taut.fit(model=first.as_prior(random_seed=1).add_to(more), **QUIET)
    whole = grouped("cba", "aabbcab", [0.0, 1.0, 3.0, 4.0, 2.0, 0.5, 3.5])
    assert away(approx, taut.fit(model=whole, **QUIET)) < 0.02
    # Which is known of all three from there on.
    prior = approx.as_prior(random_seed=1)
    assert prior.earlier.fits == 2
    again = taut.fit(model=prior.add_to(grouped("abc", "a", [1.0])), **QUIET)
    expected = grouped("abc", "aabbcaba", [0.0, 1.0, 3.0, 4.0, 2.0, 0.5, 3.5, 1.0])
    assert away(again, taut.fit(model=expected, **QUIET)) < 0.02


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: mean_of([1.0]), "no 'level'"),
        (lambda: grouped("ac", "ac", [0.0, 1.0]), "has no 'b' along its dim 'site'"),
    ],
)
def test_models_that_lack_what_was_seen_are_refused(model: Any, words: str) -> None:
    prior = taut.fit(model=grouped("ab", "ab", [0.0, 1.0]), **QUIET).as_prior(random_seed=1)
    with pytest.raises(ArgumentError, match=words):
        prior.add_to(model())


def test_elements_without_labels_are_those_of_one_shape() -> None:
    def build(count: int) -> Any:
        with pm.Model() as model:
            level = pm.Normal("level", 0.0, 1.0, shape=count)
            y_obs = pm.Data("y_obs", np.ones(4))
            pm.Normal("y", level[np.array([0, 0, 1, 1])], 1.0, observed=y_obs)
        return model

    prior = taut.fit(model=build(2), **QUIET).as_prior(random_seed=1)
    assert len(prior.add_to(build(2)).potentials) == 1
    with pytest.raises(ArgumentError, match=r"has shape \(2,\) in the fit, and \(3,\) here"):
        prior.add_to(build(3))


def test_likelihoods_that_are_no_sum_over_rows_are_refused() -> None:
    with pm.Model() as model:
        mu = pm.Normal("mu")
        pm.MvNormal("y", mu * np.ones(3), np.eye(3) + 0.5, observed=np.arange(3.0))
    approx = taut.fit(model=model, **QUIET)
    with pytest.raises(ArgumentError, match="'y' is not observed row by row"):
        approx.as_prior()


def test_a_latent_for_each_row_is_named_without_words_of_batches() -> None:
    with pm.Model(coords={"row": range(3)}) as model:
        u = pm.Normal("u", pm.Normal("mu"), 1.0, dims="row")
        pm.Poisson("y", pm.math.exp(u), observed=[1, 2, 3], dims="row")
    approx = taut.fit(model=model, **QUIET)
    with pytest.raises(ArgumentError, match="'u' has one element for each row of 'y'") as error:
        approx.as_prior()
    assert "batch" not in str(error.value)
    assert ".." not in str(error.value)


def test_data_that_the_model_holds_no_more_are_refused() -> None:
    model = mean_of(MONTHS[0])
    approx = taut.fit(model=model, **QUIET)
    with model:
        pm.set_data({"y_obs": MONTHS[1]})
    with pytest.raises(ArgumentError, match="holds other data than those of this fit"):
        approx.update({"y_obs": MONTHS[1]})


def test_what_are_no_rows_of_the_model_is_refused() -> None:
    approx = of_months()[0]
    with pytest.raises(ArgumentError, match="new_rows"):
        approx.update([1.0])  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataSetError, match="'z', which is no data of the model"):
        approx.update({"z": [1.0]})
    with pytest.raises(DataSetError, match="nan in 1 of 1 rows"):
        approx.update({"y_obs": [np.nan]})


def test_predictions_of_an_updated_fit_are_of_the_data_that_the_model_holds() -> None:
    told = of_months()[1].predict({"y_obs": np.zeros(3)}, random_seed=1)
    assert told["predictions"]["y"].sizes["y_dim_0"] == 3
    with pytest.raises(ArgumentError, match="no data can be"):
        taut.vsbc(of_months()[1].source, datasets=10)


def test_a_user_s_own_potential_counts_once() -> None:
    with pm.Model() as model:
        y_obs = pm.Data("y_obs", MONTHS[0])
        mu = pm.Normal("mu", 0.0, 10.0)
        pm.Potential("near_one", -2.0 * (mu - 1.0) ** 2)
        pm.Normal("y", mu, 1.0, observed=y_obs)
    approx = taut.fit(model=model, **QUIET).update({"y_obs": MONTHS[1]}, random_seed=1)
    y = np.concatenate(MONTHS[:2])
    precision = 0.01 + 4.0 + len(y)
    assert abs(float(approx.mean_data["mu"]) - (4.0 + y.sum()) / precision) < 0.01
    assert abs(float(approx.std_data["mu"]) * precision**0.5 - 1.0) < 0.01
