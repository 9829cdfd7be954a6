"""Callbacks: PyMC's protocol, PyMC's own objects, and the schedule that is taut's addition."""

import copy
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm
import pymc.variational.callbacks as theirs
import pytest

import taut
from taut import callbacks as ours
from taut.errors import ArgumentError


@pytest.fixture(scope="module")
def model() -> pm.Model:
    """One model for the module, whose tests so share its programs."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 1.0, 2.0, shape=2)
        pm.Normal("y", mu, 1.0, observed=np.array([0.5, -1.0]))
    return model


@pytest.fixture(scope="module")
def correlated() -> pm.Model:
    """A model in whose posterior no number of a full-rank approximation is zero, which a check of
    relative differences would wait for in vain."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 1.0, 2.0, shape=2)
        pm.Normal("y", mu[0] + mu[1], 1.0, observed=0.5)
    return model


def fit(model: pm.Model, n: int, *callbacks: Any, **how: Any) -> taut.Approximation:
    """A fit whose noise vanishes as it comes near, so that its parameters settle."""
    return taut.fit(
        n,
        model=model,
        random_seed=1,
        inf_kwargs={"gradient": "path"},
        obj_optimizer=taut.adam(learning_rate=0.1),
        callbacks=callbacks,
        progressbar=False,
        **how,
    )


def note(steps: list[int], **schedule: int) -> Callable[..., None]:
    """A callback that notes the steps it is called at."""

    def callback(approx: Any, losses: Any, i: int) -> None:
        steps.append(i)

    for name, value in schedule.items():
        setattr(callback, name, value)
    return callback


CHECKS: list[dict[str, Any]] = [
    {},
    {"every": 1, "tolerance": 1e-3},
    {"every": 10, "tolerance": 0.05},
    {"every": 25, "tolerance": 0.01, "ord": 2},
    {"every": 7, "tolerance": 0.1, "ord": 1},
    {"diff": "absolute", "every": 10, "tolerance": 0.01},
    {"diff": "absolute", "every": 33, "tolerance": 0.05, "ord": 2},
    {"diff": "absolute", "every": 1, "tolerance": 1e-3, "ord": 1},
]


@pytest.mark.parametrize("how", CHECKS, ids=str)
@pytest.mark.parametrize("method", ["advi", "fullrank_advi"])
def test_convergence_is_seen_where_pymc_sees_it(
    how: dict[str, Any], method: str, model: pm.Model, correlated: pm.Model
) -> None:
    which = {"advi": model, "fullrank_advi": correlated}[method]
    mine = fit(which, 3000, ours.CheckParametersConvergence(**how), method=method)
    other = fit(which, 3000, theirs.CheckParametersConvergence(**how), method=method)
    assert 1 < len(mine.hist) < 3000
    assert mine.stopped == other.stopped == f"Convergence achieved at {len(mine.hist)}"
    for name, value in mine.parameters.items():
        np.testing.assert_array_equal(value, other.parameters[name])


def test_a_subclass_of_pymcs_check_is_as_good(model: pm.Model) -> None:
    class Check(theirs.CheckParametersConvergence):
        pass

    how: dict[str, Any] = {"every": 10, "tolerance": 0.05}
    theirs_too = fit(model, 3000, Check(**how))
    assert len(theirs_too.hist) == len(
        fit(model, 3000, ours.CheckParametersConvergence(**how)).hist
    )


def test_a_check_that_is_never_met_ends_nothing(model: pm.Model) -> None:
    approx = fit(model, 200, ours.CheckParametersConvergence(every=10, tolerance=1e-12))
    assert (len(approx.hist), approx.stopped) == (200, "finished")


def test_an_unknown_difference_is_refused() -> None:
    with pytest.raises(ArgumentError, match='"relative" or "absolute"'):
        ours.CheckParametersConvergence(diff="both")  # ty: ignore


def test_pymcs_tracker_works_unchanged(model: pm.Model) -> None:
    advi = taut.ADVI(model=model, random_seed=1)
    tracker = theirs.Tracker(
        mean=advi.approx.mean.eval,
        std=advi.approx.std.eval,
        loss=lambda approx, losses, i: losses[-1],
        i=lambda approx, losses, i: i,
    )
    advi.fit(20, callbacks=[tracker], progressbar=False)
    assert tracker["i"] == list(range(1, 21))
    np.testing.assert_array_equal(tracker["loss"], advi.hist)
    np.testing.assert_array_equal(tracker["mean"][-1], advi.approx.mean.eval())
    # It follows the fit: no two records are equal.
    assert len({tuple(mean) for mean in tracker["mean"]}) == 20
    assert len({tuple(std) for std in tracker["std"]}) == 20


def test_taut_tracks_the_same_as_pymc(model: pm.Model) -> None:
    def functions(approx: taut.Approximation) -> dict[str, Callable[..., Any]]:
        return {"mean": approx.mean.eval, "loss": lambda approx, losses, i: losses.sum()}

    records = []
    for kind in (ours.Tracker, theirs.Tracker):
        advi = taut.ADVI(model=model, random_seed=1)
        tracker = kind(**functions(advi.approx))
        advi.fit(10, callbacks=[tracker], progressbar=False)
        records.append(tracker)
    np.testing.assert_array_equal(records[0]["mean"], records[1]["mean"])
    np.testing.assert_array_equal(records[0]["loss"], records[1]["loss"])


def test_a_plain_function_is_called_at_every_step(model: pm.Model) -> None:
    steps: list[int] = []
    fit(model, 40, note(steps))
    assert steps == list(range(1, 41))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ({"every": 10}, [10, 20, 30, 40]),
        ({"every": 10, "first": 1}, [1, 10, 20, 30, 40]),
        ({"every": 10, "first": 10}, [10, 20, 30, 40]),
        ({"every": 10, "first": 15}, [15, 20, 30, 40]),
        ({"every": 45}, []),
        ({"first": 38}, [38, 39, 40]),
    ],
)
def test_a_callback_is_called_as_often_as_it_asks(
    schedule: dict[str, int], expected: list[int], model: pm.Model
) -> None:
    steps: list[int] = []
    fit(model, 40, note(steps, **schedule))
    assert steps == expected


def test_callbacks_of_different_schedules_go_together(model: pm.Model) -> None:
    threes: list[int] = []
    fives: list[int] = []
    fit(model, 15, note(threes, every=3), note(fives, every=5))
    assert (threes, fives) == ([3, 6, 9, 12, 15], [5, 10, 15])


def test_callbacks_are_called_in_their_order(model: pm.Model) -> None:
    calls: list[str] = []
    fit(model, 2, lambda *_: calls.append("a"), lambda *_: calls.append("b"))
    assert calls == ["a", "b", "a", "b"]


def test_a_callback_sees_the_losses_and_the_parameters_of_its_step(model: pm.Model) -> None:
    seen: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def look(approx: taut.Approximation, losses: np.ndarray, i: int) -> None:
        assert approx.hist is not None
        seen[i] = losses.copy(), approx.parameters["mu"]

    whole = fit(model, 30, look)
    for i in (1, 9, 30):
        shorter = fit(model, i)
        np.testing.assert_array_equal(seen[i][0], shorter.hist)
        np.testing.assert_array_equal(seen[i][1], shorter.parameters["mu"])
    np.testing.assert_array_equal(seen[30][0], whole.hist)


@pytest.mark.parametrize("method", ["advi", "fullrank_advi", "flow", "svgd"])
def test_a_fit_that_is_looked_at_is_the_same_to_the_last_bit(method: str, model: pm.Model) -> None:
    how: dict[str, Any] = {"method": method, "model": model, "random_seed": 1}
    alone = taut.fit(40, progressbar=False, **how)
    seen = taut.fit(40, callbacks=[lambda *_: None], progressbar=False, **how)
    np.testing.assert_array_equal(seen.hist, alone.hist)
    for name, value in alone.parameters.items():
        np.testing.assert_array_equal(seen.parameters[name], value)


def test_moments_at_a_step_are_those_of_a_fit_that_ends_there(correlated: pm.Model) -> None:
    def begin() -> taut.FullRankADVI:
        return taut.FullRankADVI(model=correlated, random_seed=1)

    advi = begin()
    names = ("mean", "std", "cov")
    tracker = ours.Tracker(**{name: getattr(advi.approx, name).eval for name in names})
    advi.fit(40, callbacks=[tracker], progressbar=False)
    for steps in (1, 2, 17, 25, 40):
        shorter = begin().fit(steps, progressbar=False)
        for name in names:
            value = getattr(shorter, name).eval()
            np.testing.assert_array_equal(tracker[name][steps - 1], value)


def test_a_fit_goes_on_from_what_a_callback_writes(model: pm.Model) -> None:
    def write(approx: taut.Approximation, losses: np.ndarray, i: int) -> None:
        if i == 23:
            approx.shared_params["mu"].set_value([5.0, 6.0])

    advi = taut.ADVI(model=model, random_seed=1)
    advi.fit(23, callbacks=[write], progressbar=False)
    advi.refine(17, progressbar=False)
    whole = taut.ADVI(model=model, random_seed=1).fit(40, callbacks=[write], progressbar=False)
    np.testing.assert_array_equal(whole.hist, advi.hist)
    np.testing.assert_array_equal(whole.parameters["mu"], advi.approx.parameters["mu"])


def test_a_copy_made_by_a_callback_goes_on_from_its_step(model: pm.Model) -> None:
    copies: list[taut.ADVI] = []

    def copy_one(approx: taut.Approximation, losses: np.ndarray, i: int) -> None:
        if i == 21:
            copies.append(copy.deepcopy(advi))

    advi = taut.ADVI(model=model, random_seed=1)
    advi.fit(30, callbacks=[copy_one], progressbar=False)
    copies[0].refine(9, progressbar=False)
    np.testing.assert_array_equal(copies[0].hist, advi.hist)
    np.testing.assert_array_equal(copies[0].approx.parameters["mu"], advi.approx.parameters["mu"])


def test_any_callable_of_three_arguments_is_a_callback(model: pm.Model) -> None:
    class Mine(ours.Callback):
        every = 5

        def __init__(self) -> None:
            self.steps: list[int] = []

        def __call__(self, approx: Any, losses: Any, i: int) -> None:
            self.steps.append(i)

    class Plain:
        def __init__(self) -> None:
            self.steps: list[int] = []

        def look(self, approx: Any, losses: Any, i: int) -> None:
            self.steps.append(i)

    mine, plain = Mine(), Plain()
    fit(model, 10, mine, plain.look)
    assert mine.steps == [5, 10]
    assert plain.steps == list(range(1, 11))


def test_callbacks_may_come_from_a_generator(model: pm.Model) -> None:
    steps: list[int] = []
    taut.fit(
        3, method="advi", model=model, callbacks=(note(steps) for _ in range(2)), progressbar=False
    )
    assert steps == [1, 1, 2, 2, 3, 3]


def test_refine_counts_on_and_gives_the_losses_of_its_own_call(model: pm.Model) -> None:
    calls: list[tuple[int, int]] = []
    advi = taut.ADVI(model=model, random_seed=1)
    advi.fit(
        4, callbacks=[lambda approx, losses, i: calls.append((i, len(losses)))], progressbar=False
    )
    advi.refine(3, progressbar=False)
    assert calls == [(1, 1), (2, 2), (3, 3), (4, 4), (5, 1), (6, 2), (7, 3)]
    assert len(advi.hist) == 7


def test_a_schedule_goes_on_in_refine(model: pm.Model) -> None:
    steps: list[int] = []
    advi = taut.ADVI(model=model, random_seed=1)
    advi.fit(7, callbacks=[note(steps, every=5)], progressbar=False)
    advi.refine(7, progressbar=False)
    advi.refine(7, progressbar=False)
    assert steps == [5, 10, 15, 20]


def test_a_second_fit_counts_from_one_again(model: pm.Model) -> None:
    steps: list[int] = []
    advi = taut.ADVI(model=model, random_seed=1)
    advi.fit(2, callbacks=[note(steps)], progressbar=False)
    advi.fit(2, callbacks=[note(steps)], progressbar=False)
    assert steps == [1, 2, 1, 2]


def test_without_a_score_callbacks_get_none(model: pm.Model) -> None:
    losses: list[Any] = []
    approx = fit(model, 3, lambda approx, loss, i: losses.append(loss), score=False)
    assert losses == [None, None, None]
    assert len(approx.hist) == 0


def test_without_a_score_the_fit_is_the_same(model: pm.Model) -> None:
    scored, not_scored = fit(model, 30), fit(model, 30, score=False)
    np.testing.assert_array_equal(scored.parameters["mu"], not_scored.parameters["mu"])


@pytest.mark.parametrize("bad", [3, "adam", None, [print]], ids=repr)
def test_what_can_not_be_called_is_refused(bad: Any, model: pm.Model) -> None:
    with pytest.raises(ArgumentError, match=re.escape(f"callbacks holds {bad!r}")):
        fit(model, 3, bad)


@pytest.mark.parametrize("every", [0, -5, 2.5, "ten", None, True])
def test_a_schedule_that_makes_no_sense_is_refused(every: Any, model: pm.Model) -> None:
    for name in ("every", "first"):
        with pytest.raises(ArgumentError, match=re.escape(f"{name}={every!r}")):
            fit(model, 3, note([], **{name: every}))


@pytest.mark.parametrize("kind", [ours.CheckParametersConvergence, theirs.Tracker])
def test_a_class_in_place_of_an_object_is_refused(kind: type, model: pm.Model) -> None:
    with pytest.raises(ArgumentError, match=rf"{kind.__name__}\(\)"):
        fit(model, 3, kind)


def test_a_bad_callback_is_refused_before_anything_is_done(model: pm.Model) -> None:
    advi = taut.ADVI(model=model, random_seed=1)
    with pytest.raises(ArgumentError):
        advi.fit(3, callbacks=[3], progressbar=False)  # ty: ignore
    assert len(advi.hist) == 0


class TestTracker:
    """`taut.callbacks.Tracker`, without a fit around it."""

    def test_a_function_without_arguments_is_called_without(self) -> None:
        tracker = ours.Tracker(clock=time.time, one=lambda: 1, default=lambda a=7: a)
        tracker(None, None, 1)
        assert tracker["one"] == [1]
        assert tracker["default"] == [7]
        assert tracker["clock"][0] > 0

    def test_any_other_function_is_called_with_all_three(self) -> None:
        tracker = ours.Tracker(all=lambda approx, losses, i: (approx, losses, i))
        tracker("approx", "losses", 3)  # ty: ignore
        assert tracker["all"] == [("approx", "losses", 3)]

    def test_a_bound_method_is_called_by_its_own_arguments(self) -> None:
        class Two:
            def none(self) -> str:
                return "none"

            def three(self, approx: Any, losses: Any, i: int) -> int:
                return i

        tracker = ours.Tracker(none=Two().none, three=Two().three)
        tracker(None, None, 4)
        assert (tracker["none"], tracker["three"]) == (["none"], [4])

    def test_a_function_of_any_arguments_is_called_either_way(self) -> None:
        # As in PyMC: without arguments, unless that fails.
        tracker = ours.Tracker(last=lambda *t: t[-1], number=lambda *t: len(t))
        tracker(None, None, 4)
        assert (tracker["last"], tracker["number"]) == ([4], [0])

    def test_what_a_function_raises_is_raised(self) -> None:
        def fail() -> None:
            raise ZeroDivisionError("mine")

        def fail_too(approx: Any, losses: Any, i: int) -> None:
            raise TypeError("mine too")

        with pytest.raises(ZeroDivisionError, match="mine"):
            ours.Tracker(fail=fail)(None, None, 1)
        with pytest.raises(TypeError, match="mine too"):
            ours.Tracker(fail=fail_too)(None, None, 1)

    def test_records_are_made_as_often_as_asked(self, model: pm.Model) -> None:
        tracker = ours.Tracker(every=20, step=lambda approx, losses, i: i)
        fit(model, 50, tracker)
        assert tracker["step"] == [20, 40]

    def test_a_record_can_be_made_by_hand(self) -> None:
        tracker = ours.Tracker(step=lambda approx, losses, i: i)
        tracker.record(None, None, 9)
        assert tracker.hist == {"step": [9]}

    def test_records_can_be_cleared(self) -> None:
        tracker = ours.Tracker(one=lambda: 1)
        tracker(None, None, 1)
        tracker.clear()
        assert tracker["one"] == []
        tracker(None, None, 2)
        assert tracker["one"] == [1]

    def test_an_unknown_name_is_told_apart_from_an_empty_record(self) -> None:
        tracker = ours.Tracker(mean=lambda: 1)
        assert tracker["mean"] == []
        with pytest.raises(KeyError, match=r"'meen' is not tracked.*mean"):
            tracker["meen"]

    def test_what_can_not_be_called_is_refused(self) -> None:
        with pytest.raises(ArgumentError, match="mean"):
            ours.Tracker(mean=3)  # ty: ignore
