"""How long chains go on that have settled: until what they say is precise."""

import numpy as np
import pytest

from taut.diagnose import Outcome, is_enough
from taut.diagnose.budget import More, more_of
from taut.diagnose.finding import Finding

from .windows import drawn, window

CHEAP = 1_000.0


@pytest.mark.parametrize(("effective", "times"), [(4_000.0, 1.25), (1_600.0, 1.25), (400.0, 1.65)])
def test_noise_tells_how_much_longer(effective: float, times: float) -> None:
    """600 effective draws are asked for; variances fall with the length."""
    found = window(drawn(), effective=effective)
    assert more_of(Outcome.REPAIRED, (), found, 0.0) == More(pytest.approx(times, rel=0.01))
    assert is_enough(Outcome.REPAIRED, found, CHEAP) is (effective > 600.0)


def test_one_call_does_not_go_on_for_ever() -> None:
    assert more_of(Outcome.REPAIRED, (), window(drawn(), effective=1.0), 0.0) == More(2.5)


def test_a_window_of_noise_alone_asks_for_more_of_itself() -> None:
    """The mean of so few chains, without what gradients say of it, is known less well."""
    few = np.random.default_rng(1).normal(size=(10, 20, 1))
    more = more_of(Outcome.REPAIRED, (), window(few), 0.0)
    assert more is not None
    assert more.times > 2.0


def lacking(*criteria: str) -> tuple[Finding, ...]:
    return tuple(Finding(criterion, False, "few") for criterion in criteria)


@pytest.mark.parametrize(("effective", "times"), [(200.0, 1.65), (50.0, 2.5)])
def test_too_few_draws_ask_for_more_of_the_same(effective: float, times: float) -> None:
    """300 effective draws are a criterion, and in the same coordinates more of them meet it."""
    found = window(drawn(), effective=effective)
    for outcome in (Outcome.HEAVY, Outcome.UNSETTLED):
        more = more_of(outcome, lacking("effective"), found, 0.0)
        assert more == More(pytest.approx(times, rel=0.01))


@pytest.mark.parametrize("criterion", ["divergent", "draws_each", "stuck"])
def test_what_more_draws_do_not_mend_asks_for_none(criterion: str) -> None:
    found = window(drawn(), effective=200.0)
    assert more_of(Outcome.UNSETTLED, lacking("effective", criterion), found, 0.0) is None


@pytest.mark.parametrize(("effective", "times"), [(400.0, 2.0), (140.0, 2.36)])
def test_chains_that_came_a_little_way_are_compared_with_themselves(
    effective: float, times: float
) -> None:
    """Twice as many draws at least, so that those that are added tell as much as those before."""
    found = window(drawn(), effective=effective)
    more = more_of(Outcome.UNSETTLED, lacking("settled_shift"), found, 0.3)
    assert more == More(pytest.approx(times, rel=0.01), is_compared=True)


def test_chains_on_their_way_are_not_compared_with_themselves() -> None:
    """Neither those that came far, nor those that gradients move on, nor those worth too little."""
    wrong = lacking("settled_shift")
    assert more_of(Outcome.UNSETTLED, wrong, window(), 0.5) is None
    assert more_of(Outcome.UNSETTLED, wrong, window(moves=0.3), 0.3) is None
    assert more_of(Outcome.UNSETTLED, wrong, window(effective=100.0), 0.3) is None


def test_a_window_that_gradients_do_not_vouch_for_is_not_made_longer() -> None:
    found = window(effective=200.0, moves=0.1)
    assert more_of(Outcome.UNSETTLED, lacking("effective"), found, 0.0) is None


def test_the_result_of_a_cheap_repair_has_as_many_draws_as_64_chains_in_60_transitions() -> None:
    few = window(drawn()[:40], effective=5_000.0)
    assert not is_enough(Outcome.REPAIRED, few, CHEAP)
    assert more_of(Outcome.REPAIRED, (), few, 0.0) == More(1.5)
