"""Wrong arguments of all public calls: each an error that says what came and what is expected."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm
import pytest

import taut
from taut.arguments import as_flag, as_number, as_positive, as_seconds
from taut.callbacks import CheckParametersConvergence, Tracker
from taut.engine.disk_cache import cache_directory
from taut.errors import ArgumentError, MethodError

with pm.Model() as MODEL:
    MU = pm.Normal("mu", shape=2)
    pm.Normal("y", MU[0], 1.0, observed=np.zeros(4))

APPROX = taut.MeanField(model=MODEL, random_seed=1)
ARRAYS = {"y": np.zeros(4)}


def fit(**how: Any) -> Any:
    return taut.fit(model=MODEL, progressbar=how.pop("progressbar", False), **how)


def advi(**how: Any) -> Any:
    return taut.ADVI(model=MODEL).fit(how.pop("n", 5), **{"progressbar": False} | how)


def batch_match(**how: Any) -> Any:
    return taut.BatchMatch(model=MODEL).fit(**{"progressbar": False} | how)


def refine(n: Any) -> Any:
    return taut.ADVI(model=MODEL).refine(n, progressbar=False)


# Calls with a number that has to be a positive integer, and the word the message has for it.
COUNTS: dict[str, Callable[[Any], Any]] = {
    "fit n": lambda value: fit(n=value),
    "fit batch_size": lambda value: fit(batch_size=value),
    "fit obj_n_mc": lambda value: fit(obj_n_mc=value),
    "ADVI.fit n": lambda value: advi(n=value),
    "ADVI.fit obj_n_mc": lambda value: advi(obj_n_mc=value),
    "ADVI.fit batch_size": lambda value: advi(batch_size=value),
    "refine n": refine,
    "BatchMatch.fit n": lambda value: batch_match(n=value),
    "SVGD n_particles": lambda value: taut.SVGD(value, model=MODEL),
    "BatchMatch draws": lambda value: taut.BatchMatch(model=MODEL, draws=value),
    "GSM draws": lambda value: taut.GSM(model=MODEL, draws=value),
    "DADVI draws": lambda value: taut.DADVI(model=MODEL, draws=value),
    "Pathfinder paths": lambda value: taut.Pathfinder(model=MODEL, paths=value),
    "LowRankADVI rank": lambda value: taut.LowRankADVI(value, model=MODEL),
    "LowRankBatchMatch rank": lambda value: taut.LowRankBatchMatch(model=MODEL, rank=value),
    "FlowVI layers": lambda value: taut.FlowVI(model=MODEL, layers=value),
    "FlowVI width": lambda value: taut.FlowVI(model=MODEL, width=value),
    "Group size": lambda value: taut.Group(None, "empirical", size=value),
    "Group rank": lambda value: taut.Group(None, "lr", rank=value),
    "Empirical size": lambda value: taut.Empirical(size=value, model=MODEL),
    "sample draws": lambda value: APPROX.sample(value),
    "sample_approx draws": lambda value: taut.sample_approx(APPROX, value),
    "sample_dict_fn draws": lambda value: APPROX.sample_dict_fn(value),
    "unconstrained_draws draws": lambda value: APPROX.unconstrained_draws(value),
    "evaluate draws": lambda value: APPROX.evaluate(MU, value),
    "elbo draws": lambda value: APPROX.elbo(value),
    "log_likelihood draws": lambda value: APPROX.log_likelihood(value),
    "diagnose draws": lambda value: APPROX.diagnose(value),
    "linear_response draws": lambda value: APPROX.linear_response(value),
    "repair rounds": lambda value: APPROX.repair(value),
    "nuts_start chains": lambda value: APPROX.nuts_start(value),
    "vsbc datasets": lambda value: taut.vsbc(MODEL, value),
    "vsbc steps": lambda value: taut.vsbc(MODEL, steps=value),
    "Minibatch batch_size": lambda value: taut.Minibatch(np.zeros(4), batch_size=value),
    "ArrayRows block_rows": lambda value: taut.ArrayRows(ARRAYS, block_rows=value),
    "IterableRows rows": lambda value: taut.IterableRows([ARRAYS], rows=value),
    "Tracker every": lambda value: Tracker(every=value),
    "CheckParametersConvergence every": lambda value: CheckParametersConvergence(every=value),
}
# Where 0 is a number as well: fits that take no step.
ZERO = ("fit n", "ADVI.fit n")
NO_COUNTS = (0, -1, 2.5, "3", True, np.True_, np.float64(2.5), np.int32(-4), [3], np.nan)


@pytest.mark.parametrize("call", COUNTS)
def test_a_positive_integer_is_demanded(call: str) -> None:
    name = call.split()[1]
    for value in NO_COUNTS[call in ZERO :]:
        with pytest.raises(ArgumentError, match=rf"^{name}\b.* must be a positive integer") as told:
            COUNTS[call](value)
        assert repr(value) in str(told.value)


@pytest.mark.parametrize("call", ["fit n", "sample draws", "SVGD n_particles", "repair rounds"])
def test_a_whole_float_is_told_how_to_be_written(call: str) -> None:
    with pytest.raises(ArgumentError, match=rf"{call.split()[1]}=7\.$"):
        COUNTS[call](7.0)


@pytest.mark.parametrize("kind", [int, np.int8, np.uint16, np.int64])
def test_integers_of_numpy_are_accepted(kind: Any) -> None:
    assert APPROX.sample(kind(3), random_seed=1)["posterior"].sizes["draw"] == 3
    assert taut.SVGD(kind(4), model=MODEL).approx.family.histogram.shape == (4, 2)
    assert len(advi(n=kind(5), obj_n_mc=kind(2)).hist) == 5
    assert taut.ArrayRows(ARRAYS, block_rows=kind(2)).rows == 4
    assert type(as_positive("n", kind(3))) is int


# Calls with a flag.
FLAGS: dict[str, Callable[[Any], Any]] = {
    **{
        f"fit {name}": lambda value, name=name: fit(**{name: value})
        for name in (
            "progressbar", "include_transformed", "shuffle", "replace", "require_total_size",
            "score",
        )
    },
    "ADVI.fit progressbar": lambda value: advi(progressbar=value),
    "ADVI.fit score": lambda value: advi(score=value),
    "ADVI.fit shuffle": lambda value: advi(shuffle=value),
    "BatchMatch.fit progressbar": lambda value: batch_match(progressbar=value),
    "BatchMatch.fit include_transformed": lambda value: batch_match(include_transformed=value),
    "Pathfinder importance": lambda value: taut.Pathfinder(model=MODEL, importance=value),
    "DADVI antithetic": lambda value: taut.DADVI(model=MODEL, antithetic=value),
    "sample return_inferencedata": lambda value: APPROX.sample(5, return_inferencedata=value),
    "sample include_transformed": lambda value: APPROX.sample(5, include_transformed=value),
    "diagnose chains": lambda value: APPROX.diagnose(chains=value),
}  # fmt: skip


@pytest.mark.parametrize("call", FLAGS)
def test_a_flag_is_a_boolean(call: str) -> None:
    for value in ("no", 1, 0.0, [], np.array([True, False])):
        with pytest.raises(ArgumentError, match=f"^{call.split()[1]} must be True or False"):
            FLAGS[call](value)


def test_booleans_of_numpy_are_accepted() -> None:
    assert as_flag("chains", np.True_) is True
    assert len(advi(score=np.False_, progressbar=np.False_).hist) == 0


# Calls with a number, and the values that are wrong there.
NUMBERS: dict[str, tuple[Callable[[Any], Any], tuple[Any, ...]]] = {
    "SVGD temperature": (lambda v: taut.SVGD(5, model=MODEL, temperature=v), (0, -1, np.inf)),
    "ASVGD temperature": (lambda v: taut.ASVGD(model=MODEL, temperature=v), (0, -1)),
    "ImplicitGradient temperature": (lambda v: taut.ImplicitGradient(APPROX, temperature=v), (-1,)),
    "SVGD jitter": (lambda v: taut.SVGD(5, -0.5 if v == 0 else v, model=MODEL), (-1, np.inf)),
    "Pathfinder jitter": (lambda v: taut.Pathfinder(model=MODEL, jitter=v), (-1, np.inf)),
    "Group jitter": (lambda v: taut.Group(None, "empirical", jitter=v), (-1,)),
    "ADVI beta": (lambda v: taut.ADVI(model=MODEL, beta=v), (0, -1, np.inf)),
    "vsbc learning_rate": (lambda v: taut.vsbc(MODEL, learning_rate=v), (0, -1)),
    "fit max_seconds": (lambda v: fit(max_seconds=v), (0, -1)),
    "BatchMatch.fit max_seconds": (lambda v: batch_match(max_seconds=v), (0, -1)),
    "CheckParametersConvergence tolerance": (
        lambda v: CheckParametersConvergence(tolerance=v), (0, -1),
    ),
}  # fmt: skip


@pytest.mark.parametrize("call", NUMBERS)
def test_a_number_is_demanded(call: str) -> None:
    make, wrong = NUMBERS[call]
    for value in (*wrong, np.nan, "1", True, [1.0], 1j):
        with pytest.raises(ArgumentError, match=rf"^{call.split()[1]}\b.* must be a .*number"):
            make(value)


def test_numbers_of_numpy_are_accepted() -> None:
    assert as_number("beta", np.float32(0.5)) == 0.5
    assert as_number("jitter", np.int8(0), zero=True) == 0.0
    assert as_seconds("max_seconds", np.int64(3)) == 3.0


# Everything else: what is called, and what the message says.
WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "inf_kwargs": (lambda: fit(inf_kwargs=3), r"inf_kwargs must be a dict, such as .*got 3"),
    "inf_kwargs name": (lambda: fit(inf_kwargs={"ranks": 3}), "does not take ranks"),
    "start": (lambda: fit(start=3), "start must be a dict, such as .*got 3"),
    "start of a method": (lambda: taut.ADVI(model=MODEL, start=[1.0]), "start must be a dict"),
    "start_sigma": (lambda: fit(start_sigma="wide"), "start_sigma must be a dict"),
    "callbacks": (lambda: fit(callbacks=3), r"callbacks has to be a list of callables.*got 3"),
    "a callback": (lambda: fit(callbacks=[3]), "callbacks holds 3, which can not be called"),
    "one callback": (lambda: advi(callbacks=print), r"write callbacks=\[\.\.\.\]"),
    "callbacks of ADVI": (lambda: advi(callbacks=3.5), "callbacks has to be a list"),
    "rows": (lambda: fit(rows=3, batch_size=2), "rows must map names to axes"),
    "more_replacements": (lambda: fit(more_replacements=3), "more_replacements must be a dict"),
    "step_size": (lambda: fit(step_size=0.1), 'step_size must be "auto"'),
    "model": (lambda: taut.fit(model=3), "model must be a pymc.Model"),
    "random_seed": (lambda: fit(random_seed="x"), "random_seed must be an integer"),
    "negative seed": (lambda: APPROX.sample(5, random_seed=-1), "random_seed must be an integer"),
    "vfam class": (
        lambda: taut.Group(vfam=taut.family.MeanField),
        "vfam must be the name of a family, such as 'mean_field', got <class",
    ),
    "vfam number": (lambda: taut.Group(vfam=3), "vfam must be the name of a family"),
    "params": (lambda: taut.Group(params=[1.0]), "params must be a dict"),
    "group of a string": (lambda: taut.Group("mu", "mf"), r"a list of variables .*\['mu'\]"),
    "groups": (lambda: taut.Approximation(3, model=MODEL), "groups has to be a list"),
    "ParquetRows": (lambda: taut.ParquetRows(3, {"y": "y"}), "paths must be a Parquet .*got 3"),
    "ParquetRows in a list": (lambda: taut.ParquetRows([3], {"y": "y"}), "paths must be a Parquet"),
    "ParquetRows bytes": (lambda: taut.ParquetRows(b"a", {"y": "y"}), "paths must be a Parquet"),
    "columns": (lambda: taut.ParquetRows("a", 3), "a dict of names and columns"),
    "a column": (lambda: taut.ParquetRows("a", {"y": 3}), "'y' must be a column, or a list"),
    "ArrayRows": (lambda: taut.ArrayRows(3), "a dict of names and arrays"),
    "set_cache_directory": (lambda: taut.set_cache_directory(3), "must be a path, or None .*got 3"),
    "cache of bytes": (lambda: taut.set_cache_directory(b"a"), "must be a path"),
    "cache flag": (lambda: taut.set_cache_directory(False), "must be a path"),
    "KLqp": (lambda: taut.KLqp("mf"), "KLqp fits an approximation, such as .*got 'mf'"),
    "ASVGD": (lambda: taut.ASVGD(MODEL), "ASVGD fits an approximation"),
    "ImplicitGradient": (lambda: taut.ImplicitGradient(3), "fits an approximation"),
    "kernel": (lambda: taut.SVGD(5, model=MODEL, kernel="rbf"), "kernel must be .*got 'rbf'"),
    "kernel class": (
        lambda: taut.SVGD(5, model=MODEL, kernel=taut.objective.RBF), "kernel must be",
    ),
    "objective": (lambda: taut.ADVI(model=MODEL, objective="elbo"), "objective must be one of"),
    "gradient": (lambda: taut.ADVI(model=MODEL, gradient="both"), 'gradient must be "total"'),
    "importance": (lambda: APPROX.sample(5, importance=True), 'importance must be None or "psis"'),
    "rows of elbo": (lambda: APPROX.elbo(5, rows="batch"), 'rows must be "all"'),
    "two models": (lambda: taut.fit(MODEL, model=MODEL), "The model is given twice"),
    "diff": (lambda: CheckParametersConvergence(diff="no"), "diff must be"),
    "what is tracked": (lambda: Tracker(mean=3), "mean must be a function"),
}  # fmt: skip


@pytest.mark.parametrize("call", WRONG)
def test_what_makes_no_sense_is_refused(call: str) -> None:
    make, message = WRONG[call]
    with pytest.raises(ArgumentError, match=message):
        make()


def test_a_cache_that_is_refused_changes_nothing() -> None:
    before = cache_directory()
    with pytest.raises(ArgumentError):
        taut.set_cache_directory(3)  # pyright: ignore[reportArgumentType]
    assert cache_directory() == before


def test_wrong_arguments_of_a_fit_are_refused_before_the_model_is_looked_at() -> None:
    class NoModel:
        """Would be refused by another message."""

    for wrong in ({"callbacks": 3}, {"inf_kwargs": 3}, {"n": 2.5}, {"replace": "no"}):
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            taut.fit(model=NoModel(), **wrong)


def test_the_model_may_stand_first() -> None:
    first = taut.fit(MODEL, random_seed=1, progressbar=False)
    named = taut.fit(model=MODEL, random_seed=1, progressbar=False)
    np.testing.assert_array_equal(first.parameters["mu"], named.parameters["mu"])
    by_name = taut.fit(taut.as_target(MODEL), "laplace", random_seed=1, progressbar=False)
    assert by_name.method == "Laplace"
    with pytest.raises(MethodError, match="method must be one of"):
        taut.fit(MODEL, 10_000)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("method", ["auto", "Auto", "AUTO", taut.Auto, None])
def test_all_ways_to_write_the_automatic_method_follow_one_rule(method: Any) -> None:
    """Arguments of steps make it ADVI; without them it is what chooses."""
    seen: list[int] = []
    steps = fit(n=20, method=method, random_seed=1, callbacks=[lambda q, loss, i: seen.append(i)])
    assert steps.method == "ADVI"
    assert len(seen) == 20
    assert fit(method=method, random_seed=1).method == "auto"
    assert fit(n=20, method=method, random_seed=1, start_sigma={"mu": 0.1}).method == "ADVI"


def test_the_object_of_the_automatic_method_says_what_it_does_not_take() -> None:
    with pytest.raises(ArgumentError, match=r"Auto ends by itself.* does not take obj_n_mc"):
        taut.fit(method=taut.Auto(model=MODEL), obj_n_mc=3)
