"""A Ctrl-C at any moment: the fit ends with what was fitted, or KeyboardInterrupt gets out."""

import gc
import signal
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from threadpoolctl import ThreadpoolController, threadpool_info, threadpool_limits

import taut
from taut.engine import (
    never_lost,
    programs,
    raise_lost,
    remember,
    single_threaded,
    take_lost,
    timing,
    undisturbed,
)
from taut.progress import INTERRUPTED


def press() -> None:
    signal.raise_signal(signal.SIGINT)


class InFinalizer:
    """A ring that presses Ctrl-C when it is collected."""

    def __init__(self) -> None:
        self.ring = self

    def __del__(self) -> None:
        press()


def in_finalizer() -> None:
    InFinalizer()
    gc.collect()


def in_collector_s_callback() -> None:
    def callback(phase: str, info: Any) -> None:
        gc.callbacks.remove(callback)
        press()

    gc.callbacks.append(callback)
    gc.collect()


def in_weakref_s_callback() -> None:
    class Thing:
        pass

    thing = Thing()
    reference = weakref.ref(thing, lambda _: press())
    del thing
    assert reference() is None


def in_code_that_clears_it() -> None:
    """As C does where it looks something up by Python's ``__eq__``."""
    with suppress(KeyboardInterrupt):
        press()


LOSSES: dict[str, Callable[[], None]] = {
    "finalizer": in_finalizer,
    "callback of the collector": in_collector_s_callback,
    "callback of a weak reference": in_weakref_s_callback,
    "code that clears it": in_code_that_clears_it,
}


def a_model() -> pm.Model:
    with pm.Model() as model:
        mu = pm.Normal("mu", 0.0, 10.0)
        pm.Normal("y", mu, 1.0, observed=np.array([1.5, 2.5, 2.0]))
    return model


@pytest.mark.parametrize("way", LOSSES)
def test_python_loses_it_there_and_it_comes_back(way: str) -> None:
    hook = sys.unraisablehook
    after: list[bool] = []

    def lose() -> None:
        with never_lost():
            LOSSES[way]()
            after.append(True)

    with pytest.raises(KeyboardInterrupt):
        lose()
    assert after
    assert sys.unraisablehook is hook
    raise_lost()


@pytest.mark.parametrize("way", LOSSES)
def test_a_safe_point_raises_it_once(way: str) -> None:
    with never_lost():
        LOSSES[way]()
        with pytest.raises(KeyboardInterrupt):
            raise_lost()
        raise_lost()
        assert not take_lost()


def test_it_is_raised_where_the_inner_of_two_ends() -> None:
    with never_lost(), pytest.raises(KeyboardInterrupt), never_lost():
        in_finalizer()


def test_what_else_is_lost_goes_to_the_hook_before() -> None:
    told: list[Any] = []
    before, sys.unraisablehook = sys.unraisablehook, told.append

    class Wrong:
        def __del__(self) -> None:
            raise ValueError("of another")

    try:
        with never_lost():
            Wrong()
        assert [one.exc_type for one in told] == [ValueError]
        assert sys.unraisablehook == told.append
    finally:
        sys.unraisablehook = before


def test_another_hook_on_top_stays() -> None:
    before = sys.unraisablehook
    try:
        with never_lost():
            sys.unraisablehook = mine = lambda told: None
        assert sys.unraisablehook is mine
    finally:
        sys.unraisablehook = before


def test_the_handler_of_before_is_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with never_lost():
        assert signal.getsignal(signal.SIGINT) != before
        with never_lost():
            pass
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before
    with pytest.raises(KeyboardInterrupt), never_lost():
        press()
    assert signal.getsignal(signal.SIGINT) == before


def test_a_handler_of_the_user_s_own_is_called_and_means_what_it_says() -> None:
    called: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: called.append(number))
    try:
        with never_lost():
            press()
        assert called == [signal.SIGINT]
        # One that is set inside stays.
        with never_lost():
            signal.signal(signal.SIGINT, mine := lambda number, frame: None)
        assert signal.getsignal(signal.SIGINT) is mine
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with never_lost():
            press()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_filters_that_it_has_left_are_put_back() -> None:
    """As where it comes at the end of a `catch_warnings`, of whomever."""
    with warnings.catch_warnings():
        before = list(warnings.filters)

        def leave_one() -> None:
            warnings.simplefilter("ignore", RuntimeWarning)
            press()

        with pytest.raises(KeyboardInterrupt), never_lost():
            leave_one()
        assert list(warnings.filters) == before
        with never_lost():
            warnings.simplefilter("ignore", RuntimeWarning)
        assert list(warnings.filters) != before


def test_it_is_put_off_where_it_would_leave_things_half_done() -> None:
    after: list[bool] = []

    def work() -> None:
        with never_lost():
            with undisturbed():
                with undisturbed():
                    press()
                press()
                after.append(True)
            raise_lost()
            after.append(False)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert after == [True]


def test_limits_of_linear_algebra_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pressing(ThreadpoolController):
        def limit(self, **given: Any) -> Any:
            limiter = super().limit(**given)
            press()
            return limiter

    def blas() -> list[int]:
        return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]

    monkeypatch.setattr("taut.engine.blas_threads.ThreadpoolController", Pressing)
    with threadpool_limits(2, "blas"):
        before = blas()
        with pytest.raises(KeyboardInterrupt), never_lost(), single_threaded(3):
            raise_lost()
        assert blas() == before


def test_other_threads_are_left_alone() -> None:
    hooks: list[Any] = []

    def work() -> None:
        with never_lost():
            remember()
            hooks.append(sys.unraisablehook)
            raise_lost()

    before = sys.unraisablehook
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert hooks == [before]
    raise_lost()


@contextmanager
def pressed_at(monkeypatch: pytest.MonkeyPatch, part: str, number: int, way: str) -> Iterator[Any]:
    """Press at the end of a build or of a run of a program, of that number, and lose it."""
    count, clock = [0], timing.clock

    @contextmanager
    def watched(timing: Any, own: str) -> Iterator[None]:
        with clock(timing, own):
            yield
        if own == part or (part == "build" and own in ("lift", "compile")):
            count[0] += 1
            if count[0] == number:
                LOSSES[way]()

    monkeypatch.setattr(timing, "clock", watched)
    monkeypatch.setattr(programs, "clock", watched)
    yield count


METHODS: dict[str, Callable[[Any], Any]] = {
    "auto": lambda model: taut.fit(model=model, random_seed=1, progressbar=False),
    "advi": lambda model: taut.fit(
        3000, method="advi", model=model, random_seed=1, progressbar=False
    ),
    "pathfinder": lambda model: taut.fit(
        method="pathfinder", model=model, random_seed=1, progressbar=False
    ),
}


@pytest.mark.filterwarnings("ignore:not trusted", "ignore:Nothing was fitted")
@pytest.mark.parametrize("number", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("part", ["build", "run"])
@pytest.mark.parametrize("method", METHODS)
def test_a_fit_ends_by_it(
    monkeypatch: pytest.MonkeyPatch, method: str, part: str, number: int
) -> None:
    hook, enabled = sys.unraisablehook, gc.isenabled()
    way = list(LOSSES)[number % len(LOSSES)]
    approx = None
    with (
        monkeypatch.context() as patch,
        pressed_at(patch, part, number, way) as count,
        suppress(KeyboardInterrupt),
    ):
        approx = METHODS[method](a_model())
    if approx is not None:
        # There were fewer, or it kept what it had.
        assert count[0] < number or approx.stopped == INTERRUPTED
        assert np.isfinite(approx.mean_data["mu"])
    assert sys.unraisablehook is hook
    assert gc.isenabled() == enabled
    raise_lost()


@pytest.mark.filterwarnings("ignore:not trusted")
def test_after_it_the_same_model_is_fitted_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    model = a_model()
    with (
        monkeypatch.context() as patch,
        pressed_at(patch, "build", 2, "finalizer"),
        suppress(KeyboardInterrupt),
    ):
        METHODS["auto"](model)
    again = METHODS["auto"](model)
    assert again.stopped != INTERRUPTED
    assert float(again.mean_data["mu"]) == pytest.approx(2.0, abs=0.1)


class Pressing(Op):
    """The square of a number, which presses Ctrl-C at one call."""

    def __init__(self, number: int) -> None:
        self.number, self.count = number, 0

    def make_node(self, x: Any) -> Any:
        x = pt.as_tensor(x)
        return Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        self.count += 1
        if self.count == self.number:
            press()
        outputs[0][0] = np.asarray(inputs[0] ** 2)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> Any:
        return [2 * inputs[0] * cotangents[0]]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", [3, 40, 400])
def test_it_comes_through_a_callback_of_xla_s(number: int) -> None:
    op = Pressing(number)
    with pm.Model() as model:
        x = pm.Normal("x")
        pm.Potential("pull", -op(x))
    try:
        approx = taut.fit(
            2000, method="advi", model=model, random_seed=1, progressbar=False,
        )  # fmt: skip
    except KeyboardInterrupt:
        pass
    else:
        assert approx.stopped == INTERRUPTED
    assert op.count >= number


@pytest.mark.parametrize("method", ["advi", "pathfinder"])
def test_it_is_told_that_nothing_was_fitted(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    with (
        pressed_at(monkeypatch, "run", 1, "finalizer"),
        pytest.warns(UserWarning, match="^Nothing was fitted: Ctrl-C came before the first step"),
    ):
        approx = METHODS[method](a_model())
    assert approx.stopped == INTERRUPTED
    assert len(approx.hist) == 0


def test_it_is_told_in_one_warning_that_nothing_was_fitted_and_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        pressed_at(monkeypatch, "run", 1, "finalizer"),
        pytest.warns(UserWarning, match="^not trusted: .* Nothing was fitted: Ctrl-C") as told,
    ):
        METHODS["auto"](a_model())
    assert len(told) == 1


def test_an_exception_before_there_is_anything_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        pressed_at(monkeypatch, "build", 1, "finalizer"),
        pytest.raises(KeyboardInterrupt) as raised,
    ):
        METHODS["auto"](a_model())
    assert raised.value.__notes__ == ["Nothing was fitted before it."]
