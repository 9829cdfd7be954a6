"""Laws of fits to many data sets."""

import os
import signal
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr

import taut
from many.models import line, mean, posterior_of_mean, rows_of
from taut.diagnose import Outcome
from taut.errors import ArgumentError, DataSetError, NotFittedError
from taut.frontend import as_source
from taut.many.seeds import seed_of

SETS = {"a": [1.0, 2.0, 3.0], "b": [5.0], "c": [0.5, -0.5, 0.0, 0.2]}


def fit(model: Any, datasets: Any, **how: Any) -> taut.ManyFits:
    return taut.fit_many(model, datasets, **({"random_seed": 1, "progressbar": False} | how))


@cache
def of_means(together: bool = False) -> taut.ManyFits:
    sets = {key: {"y_obs": np.array(y)} for key, y in SETS.items()}
    return fit(mean(), sets, together=together)


def moments(many: taut.ManyFits, key: Any) -> tuple[np.ndarray, np.ndarray]:
    approx = many[key]
    assert isinstance(approx, taut.Approximation)
    return np.asarray(approx.mean_data["mu"]), np.asarray(approx.std_data["mu"])


@pytest.mark.parametrize("key", SETS)
@pytest.mark.parametrize("together", [False, True])
def test_each_is_the_posterior_of_its_own_data(key: str, together: bool) -> None:
    """Draws of a mean are 2 000; its error is then under 0.1 sd, four of its standard errors."""
    known, many = posterior_of_mean(SETS[key]), of_means(together)
    assert many.trusted.sel(key=key)
    atol = 0.1 * known[1] if together else 0.01
    assert np.allclose(moments(many, key), known, rtol=0.01, atol=atol)


@pytest.mark.parametrize("together", [False, True])
def test_results_do_not_depend_on_order_or_on_other_data_sets(together: bool) -> None:
    sets = {key: {"y_obs": np.array(y)} for key, y in reversed(SETS.items())}
    turned = fit(mean(), sets | {"more": {"y_obs": np.ones(100)}}, together=together)
    assert list(turned) == ["c", "b", "a", "more"]
    for key in SETS:
        assert np.allclose(moments(turned, key), moments(of_means(together), key), rtol=1e-8)


def test_one_is_what_a_fit_of_it_alone_gives() -> None:
    """With the model's data set to it, and the seed that is told."""
    own, key = rows_of(3, 40), "one"
    many = fit(line(), {key: own})
    again = many.on_model(key)
    alone = taut.fit(model=again.model, random_seed=many.seeds[key], progressbar=False)
    assert list(again.mean_data) == list(alone.mean_data)
    for name in ("level", "slope"):
        assert np.allclose(again.mean_data[name], alone.mean_data[name], atol=0.02)
        assert np.allclose(again.std_data[name], alone.std_data[name], rtol=0.03)


def test_side_by_side_they_come_out_as_one_by_one() -> None:
    """Each is right to within some standard errors of 2 000 draws."""
    sets = {seed: rows_of(seed, 15 + 10 * seed) for seed in range(6)}
    alone, beside = (fit(line(), sets, together=together) for together in (False, True))
    assert bool(beside.trusted.all())
    for key in sets:
        one, other = alone[key], beside[key]
        assert isinstance(one, taut.Approximation)
        assert isinstance(other, taut.Approximation)
        assert other.journal.outcome is Outcome.RESAMPLED
        for name in ("level", "slope"):
            away = np.abs(other.mean_data[name] - one.mean_data[name]) / one.std_data[name]
            assert float(away.max()) < 0.12
            assert np.allclose(other.std_data[name], one.std_data[name], rtol=0.12)


@cache
def non_centred() -> Any:
    with pm.Model() as model:
        group = pm.Data("group", np.zeros(4, int))
        y_obs = pm.Data("y_obs", np.zeros(4))
        scale = pm.HalfNormal("scale", 1.0)
        level = scale * pm.Normal("unit", shape=4)
        pm.Normal("y", level[group], 0.7, observed=y_obs)
    return model


def scale_by_quadrature(data: dict[str, np.ndarray]) -> tuple[float, float, float]:
    """Return mean, standard deviation and 95 % quantile of the scale; levels are integrated out."""
    at = np.linspace(1e-3, 6.0, 6000)
    log_p = -0.5 * at**2
    for one in range(4):
        y = data["y_obs"][data["group"] == one]
        # Normal, of variance 0.49 and the same scale² between all.
        inner = 0.49 + len(y) * at**2
        log_p += -0.5 * np.log(inner) + 0.5 * at**2 * y.sum() ** 2 / (0.49 * inner)
    share = np.exp(log_p - log_p.max())
    share /= share.sum()
    mean = float(share @ at)
    spread = float(np.sqrt(share @ (at - mean) ** 2))
    return mean, spread, float(at[np.searchsorted(share.cumsum(), 0.95)])


def test_scales_of_non_centred_hierarchies_have_their_tails_side_by_side() -> None:
    """Over eight data sets, whose errors of some hundred draws each average out.

    By weights alone standard deviations came out 10 % and more too small in the mean.
    """
    random = np.random.default_rng(2)
    sets = []
    for _ in range(8):
        group, level = random.integers(0, 4, 60), random.normal(size=4)
        sets.append({"group": group, "y_obs": random.normal(level[group], 0.7)})
    many = fit(non_centred(), sets, together=True)
    assert bool(many.trusted.all())
    beside = [a for a in many.fitted.values() if "side by side" in a.journal.stages[0].name]
    assert len(beside) >= 6
    assert {a.journal.outcome for a in beside} == {Outcome.REPAIRED}
    found = np.array([_of_scale(many[key], one) for key, one in enumerate(sets)])
    assert np.abs(found[:, 0]).max() < 0.25
    assert np.abs(found.mean(axis=0)[:2]).max() < 0.06
    assert abs(found[:, 2].mean() - 0.05) < 0.01


def _of_scale(approx: Any, data: dict[str, np.ndarray]) -> tuple[float, float, float]:
    """Compare mean, log sd, and the share of draws over the 95 % quantile."""
    drawn = np.ravel(approx.sample(4000, random_seed=1)["posterior"]["scale"])
    mean, std, high = scale_by_quadrature(data)
    return (drawn.mean() - mean) / std, float(np.log(drawn.std() / std)), (drawn > high).mean()


def test_chains_whose_halves_differ_are_no_result(monkeypatch: Any) -> None:
    from taut.many import settled

    monkeypatch.setattr(settled, "outcome_of", lambda *_: (Outcome.UNSETTLED, ()))
    random = np.random.default_rng(2)
    data = {"group": random.integers(0, 4, 30), "y_obs": random.normal(size=30)}
    approx = fit(non_centred(), [data], together=True)[0]
    assert isinstance(approx, taut.Approximation)
    assert "side by side" not in approx.journal.stages[0].name


def test_what_does_not_settle_side_by_side_is_fitted_alone(monkeypatch: Any) -> None:
    from taut.many import side_by_side

    monkeypatch.setattr(side_by_side, "judged", lambda member: (None, None))
    many = fit(line(), [rows_of(1, 20)], together=True)
    assert isinstance(many[0], taut.Approximation)
    assert many[0].journal.outcome is not Outcome.RESAMPLED
    assert bool(many.trusted.all())


@pytest.mark.parametrize("together", [False, True])
def test_a_bad_data_set_spoils_only_its_own_result(together: bool) -> None:
    good = rows_of(1, 25)
    sets = {
        "good": good,
        "missing": good | {"y_obs": np.where(good["x"] > 1.0, np.nan, good["y_obs"])},
        "short": good | {"x": good["x"][:-1]},
        "unknown": good | {"z": good["x"]},
        "index": good | {"group": good["group"] + 2},
        "text": good | {"x": np.array(["a"] * 25)},
        "flat": good | {"x": np.ones((25, 2))},
        "half": {"y_obs": good["y_obs"]},
        "empty": {name: values[:0] for name, values in good.items()},
        "none": None,
    }
    with pytest.warns(UserWarning, match="0 are not trusted and 9 failed"):
        many = fit(line(), sets, together=together)
    assert list(many.fitted) == ["good"]
    assert many.trusted.to_series().to_dict() == {key: key == "good" for key in sets}
    words = {key: str(error) for key, error in many.errors.items()}
    assert "'y_obs' is nan in" in words["missing"]
    assert "'x' has 24" in words["short"]
    assert "'z', which is no data of the model" in words["unknown"]
    assert "'group' has 2 to 5 in this data set" in words["index"]
    assert "'x' has values of type <U1" in words["text"]
    assert "'x' has shape (25, 2)" in words["flat"]
    assert "is not given, and the model has" in words["half"]
    assert "no rows" in words["empty"]
    assert "must be a dict" in words["none"]
    assert "good  trusted" not in str(many).splitlines()[1]
    assert "failed: 'x' has 24" in str(many) or "and " in str(many)
    assert "<td>" in many._repr_html_()


@pytest.mark.parametrize("together", [False, True])
def test_programs_are_as_many_for_few_data_sets_as_for_many(together: bool) -> None:
    def compiled(counts: range) -> int:
        programs = as_source(mean()).target().programs
        before = programs.count
        sets = {count: {"y": np.linspace(-1.0, 2.0, count)} for count in counts}
        fit(mean(), sets, together=together)
        return programs.count - before

    compiled(range(127, 131))
    assert compiled(range(115, 140)) == 0


def test_tables_and_datasets_are_taken_apart_by_a_name() -> None:
    table = pd.DataFrame({"where": list("aabcaccc"), "other": 1, "y_obs": np.arange(8.0)})
    many = fit(mean(), table, by="where")
    assert list(many) == ["a", "b", "c"]
    assert np.allclose(moments(many, "b"), posterior_of_mean([2.0]), rtol=0.01)
    rows = xr.Dataset(
        {"y_obs": ("row", np.arange(8.0))},
        coords={"where": ("row", table["where"].to_numpy(object))},
    )
    same = fit(mean(), rows, by="where")
    for key in many:
        assert np.array_equal(moments(many, key), moments(same, key))
    square = xr.Dataset({"y_obs": (("where", "row"), [[2.0], [3.0]])}, {"where": ["b", "c"]})
    assert np.array_equal(moments(fit(mean(), square, by="where"), "b"), moments(many, "b"))


def test_an_observed_variable_stands_for_its_data_and_a_list_has_numbers_for_keys() -> None:
    many = fit(mean(), [{"y": [1.0, 2.0, 3.0]}, {"y": [5.0]}])
    assert list(many) == [0, 1]
    assert np.allclose(moments(many, 1), posterior_of_mean([5.0]), rtol=0.01)


def test_draws_and_summaries_have_the_key_as_a_dim() -> None:
    table = of_means().summary(500, random_seed=2)
    assert list(table.index) == [("a", "mu"), ("b", "mu"), ("c", "mu")]
    tree = of_means().to_datatree(500, random_seed=2)
    drawn = tree["posterior"]["mu"]
    assert drawn.dims == ("key", "chain", "draw")
    assert np.allclose(drawn.mean(("chain", "draw")), table["mean"])
    assert bool(tree["fits"]["trusted"].all())
    assert np.array_equal(of_means()["b"].sample(500, random_seed=2)["posterior"]["mu"], drawn[1])


def test_elements_are_named_by_their_labels_and_rows_are_left_out() -> None:
    many = fit(line(), {"u": rows_of(4, 12)})
    assert many.left_out == ("mu",)
    elements = list(many.summary(200, random_seed=1).loc["u"].index)
    assert elements == [*(f"level[{site}]" for site in "abcd"), "slope"]
    on_model = many.on_model("u")
    assert on_model.sample(10, random_seed=1)["posterior"]["mu"].sizes["row"] == 12
    assert on_model.log_likelihood(10, random_seed=1)["log_likelihood"]["y"].sizes["row"] == 12


def test_what_needs_the_model_says_how_to_get_it() -> None:
    with pytest.raises(ArgumentError, match=r"many\.on_model"):
        of_means()["a"].predict()


def test_fits_outlive_their_process() -> None:
    import cloudpickle

    again = cloudpickle.loads(cloudpickle.dumps(of_means()))
    assert repr(again) == repr(of_means())
    assert np.array_equal(moments(again, "a"), moments(of_means(), "a"))


@pytest.mark.parametrize("together", [False, True])
def test_ctrl_c_returns_what_is_done(monkeypatch: pytest.MonkeyPatch, together: bool) -> None:
    """Alone, it comes in the second fit; side by side, when the second of one call is judged."""
    from taut.many import fitting, side_by_side

    module, name = (side_by_side, "judged") if together else (fitting, "fit")
    given, calls = getattr(module, name), []

    def pressed(*args: Any, **how: Any) -> Any:
        calls.append(args)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return given(*args, **how)

    monkeypatch.setattr(module, name, pressed)
    sets = {key: {"y_obs": np.array(y)} for key, y in SETS.items()}
    many = fit(mean(), sets, together=together)
    assert list(many) == ["a"]
    assert many.waiting == ("b", "c")
    assert "2 not begun" in repr(many)


def test_where_nothing_is_fitted_there_are_no_draws() -> None:
    with pytest.warns(UserWarning, match="1 failed"):
        many = fit(mean(), [{"y": [np.nan]}])
    with pytest.raises(NotFittedError, match="None of the data sets"):
        many.to_datatree()
    with pytest.raises(ArgumentError, match="was not fitted"):
        many.on_model(0)
    assert isinstance(many[0], DataSetError)


@pytest.mark.parametrize(
    ("datasets", "how", "words"),
    [
        ({}, {}, "no data sets"),
        (3, {}, "must be a list or a dict"),
        ("ab", {}, "must be a list or a dict"),
        ([{"y": [1.0]}], {"by": "where"}, "Leave by out"),
        (pd.DataFrame({"y": [1.0]}), {}, "by='name'"),
        (pd.DataFrame({"y": [1.0]}), {"by": "where"}, "no 'where' among the columns: y"),
        (pd.DataFrame({"a": [1.0], "b": [1.0]}), {"by": "a"}, "None of the columns"),
        (pd.DataFrame({"a": [None], "y": [1.0]}), {"by": "a"}, "no value in the column 'a'"),
        ([{"y": [1.0]}], {"callbacks": []}, "does not take callbacks"),
        ([{"y": [1.0]}], {"method": "nuts"}, "no method 'nuts'"),
        ([{"y": [1.0]}], {"rows": {"z": 0}}, "rows names 'z'"),
        ([{"y": [1.0]}], {"method": "laplace", "together": True}, "Leave together out"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(datasets: Any, how: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        fit(mean(), datasets, **how)


def test_other_methods_fit_each_in_turn() -> None:
    many = fit(mean(), [{"y": [1.0, 2.0, 3.0]}], method="laplace")
    assert np.allclose(moments(many, 0), posterior_of_mean([1.0, 2.0, 3.0]), rtol=0.01)


def test_seeds_are_those_of_the_keys() -> None:
    assert seed_of(1, "a") == seed_of(1, "a")
    assert len({seed_of(1, "a"), seed_of(1, "b"), seed_of(2, "a")}) == 3
    assert seed_of(1, np.int64(3)) == seed_of(1, 3)
