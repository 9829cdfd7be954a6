"""Ctrl-C in a diagnosis or a repair: what was there is there, and the process is as before."""

import copy
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pymc as pm
import pytest

import taut
from process_state import ProcessState
from taut.approximation import trust
from taut.chains import Chains
from taut.diagnose import Outcome


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def press_and_swallow() -> None:
    """As a finalizer does, or code of others."""
    with suppress(BaseException):
        press()


PRESSES = {"pressed": press, "swallowed": press_and_swallow}
each_press = pytest.mark.parametrize("kind", PRESSES)


@pytest.fixture(scope="module")
def fitted() -> taut.Approximation:
    """A fit of a hierarchy that has to be repaired."""
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0.0, 5.0), pm.HalfNormal("tau", 3.0)
        theta = pm.Normal("theta", mu, tau, shape=4)
        pm.Normal("y", theta, [15.0, 10.0, 16.0, 11.0], observed=[28.0, 8.0, -3.0, 7.0])
    return taut.fit(60, "advi", model=model, random_seed=1, progressbar=False)


@pytest.fixture
def approx(fitted: taut.Approximation) -> taut.Approximation:
    return copy.copy(fitted)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str, int, Callable[[], None]], None]:
    """Let Ctrl-C be pressed at the so many-th call of a function."""

    def before_call(place: Any, name: str, count: int, act: Callable[[], None]) -> None:
        calls, function = [0], getattr(place, name)

        def pressed(*args: Any, **more: Any) -> Any:
            calls[0] += 1
            if calls[0] == count:
                act()
            return function(*args, **more)

        monkeypatch.setattr(place, name, pressed)

    return before_call


@each_press
def test_a_diagnosis_returns_what_weights_tell(
    kind: str, approx: taut.Approximation, at: Callable[..., None]
) -> None:
    before, known = ProcessState.now(), approx.report
    at(Chains, "run", 2, PRESSES[kind])
    with pytest.warns(UserWarning, match="ended by Ctrl-C"):
        report = approx.diagnose(random_seed=1)
    assert before.changes() == []
    assert report.weights is not None
    assert not report.trusted
    assert str(report.verdict) == str(known.verdict)
    assert approx.report is not report
    # Whole, as if it had not been tried.
    again, other = approx.diagnose(random_seed=1), copy.copy(approx).diagnose(random_seed=1)
    assert str(again.verdict) == str(other.verdict)
    assert again.verdict.words != report.verdict.words


@each_press
def test_a_diagnosis_that_has_found_nothing_returns_what_is_known(
    kind: str, approx: taut.Approximation, at: Callable[..., None]
) -> None:
    before = ProcessState.now()
    at(trust, "log_densities", 1, PRESSES[kind])
    with pytest.warns(UserWarning, match="ended by Ctrl-C"):
        report = approx.diagnose(random_seed=1)
    assert before.changes() == []
    assert report.weights is None
    assert str(report) == str(approx.report)


def test_a_fit_that_was_judged_stays_judged(at: Callable[..., None]) -> None:
    with pm.Model() as model:
        pm.Normal("x", 1.0, 2.0, shape=2)
    approx = taut.fit(model=model, random_seed=1, progressbar=False)
    at(trust, "log_densities", 1, press)
    with pytest.warns(UserWarning, match="ended by Ctrl-C"):
        assert approx.diagnose(100, random_seed=1).trusted


def of_one_round(approx: taut.Approximation) -> tuple[Any, int]:
    """Repair by one round, and count how often chains run until then."""
    count, run = [], Chains.run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Chains, "run", lambda *args: (count.append(1), run(*args))[1])
        return copy.copy(approx).repair(1, random_seed=1), len(count)


@each_press
def test_a_repair_returns_the_last_round(
    kind: str, approx: taut.Approximation, at: Callable[..., None]
) -> None:
    whole, runs = of_one_round(approx)
    before = ProcessState.now()
    at(Chains, "run", runs + 1, PRESSES[kind])
    some: Any = approx.repair(random_seed=1)
    assert before.changes() == []
    assert some.stopped == f"interrupted; {whole.stopped}"
    assert len(some.journal.stages) == len(whole.journal.stages)
    # In another order.
    one, other = (np.sort(fit.family.histogram, axis=0) for fit in (some, whole))
    np.testing.assert_array_equal(one, other)
    assert not some.diagnose().trusted


@each_press
def test_a_repair_before_its_first_round_returns_the_fit(
    kind: str, approx: taut.Approximation, at: Callable[..., None]
) -> None:
    before = ProcessState.now()
    at(Chains, "run", 1, PRESSES[kind])
    with pytest.warns(UserWarning, match="Nothing was repaired"):
        found = approx.repair(random_seed=1)
    assert before.changes() == []
    assert found is not approx
    assert found.family is approx.family
    assert found.record.journal.outcome is None


def test_what_ends_a_repair_carries_the_last_round(
    approx: taut.Approximation, at: Callable[..., None]
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("of the chains")

    at(Chains, "run", of_one_round(approx)[1] + 1, fail)
    with pytest.raises(ZeroDivisionError, match="of the chains") as caught:
        approx.repair(random_seed=1)
    reached: Any = caught.value.approx  # pyright: ignore[reportAttributeAccessIssue]
    assert "`approx`" in caught.value.__notes__[0]
    assert type(reached.family).__name__ == "Particles"
    assert str(reached.stopped).startswith("ZeroDivisionError; ")
    assert reached.journal.outcome is not Outcome.REPAIRED
