"""Chains that go on until they have settled, and what they learn on the way."""

from typing import Any

import numpy as np
import pytest

from cases import regression
from taut.chains import Chains, Coordinates, Linear
from taut.diagnose.budget import More
from taut.diagnose.repair import repair
from taut.engine import Timing
from taut.gaussian import DenseNormal
from taut.gradients import Gradients

TARGET = regression(5)
NORMAL = DenseNormal.of(TARGET.posterior_mean, TARGET.posterior_cov)


def test_coordinates_in_which_chains_can_not_move_are_left_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Learnt coordinates are as wrong as can be in the second of four rounds.

    Chains are worth 40 draws and more in each: means of 64 of them are known to .02 sd.
    """
    learnt: list[Coordinates] = []

    def wrong(begin: Coordinates, _: Any) -> Coordinates:
        scale = 1e8 if len(learnt) == 1 else 1.0
        learnt.append(Linear(DenseNormal.of(NORMAL.mean, scale * NORMAL.cov)))
        return learnt[-1]

    monkeypatch.setattr("taut.diagnose.repair.adapted", wrong)
    monkeypatch.setattr("taut.diagnose.repair._GOOD", np.inf)
    random = np.random.default_rng(1)
    gradients = Gradients(TARGET.target(), Timing())
    chains = Chains(gradients, Linear(NORMAL), NORMAL.draw(random, 64)[0], random)
    first = chains.run(20)
    rounds = repair(chains, first)
    windows = [first]
    for number in range(4):
        done = next(rounds)
        window = done.window
        used = learnt[0] if number < 2 else learnt[number]
        assert chains.coordinates is used
        away = (window.pooled.mean(axis=0) - NORMAL.mean) / NORMAL.std
        assert np.abs(away).max() < 0.1
        assert done.before is windows[number]
        windows.append(window)


def test_a_round_in_which_chains_hardly_moved_is_no_measure_of_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Steps of the second of three rounds are a fiftieth of what they should be."""
    learnt: list[Coordinates] = []

    def narrow(begin: Coordinates, _: Any) -> Coordinates:
        scale = 1.0 / 2_500.0 if len(learnt) == 1 else 1.0
        learnt.append(Linear(DenseNormal.of(NORMAL.mean, scale * NORMAL.cov)))
        return learnt[-1]

    monkeypatch.setattr("taut.diagnose.repair.adapted", narrow)
    monkeypatch.setattr("taut.diagnose.repair._GOOD", np.inf)
    random = np.random.default_rng(1)
    gradients = Gradients(TARGET.target(), Timing())
    chains = Chains(gradients, Linear(NORMAL), NORMAL.draw(random, 64)[0], random)
    rounds = repair(chains, chains.run(20))
    good, bad = next(rounds), next(rounds)
    assert bad.before is good.window
    after = next(rounds)
    assert chains.coordinates is learnt[0]
    assert after.before is good.window


def test_what_is_added_to_a_round_is_compared_with_it_where_that_is_asked_for() -> None:
    random = np.random.default_rng(1)
    gradients = Gradients(TARGET.target(), Timing())
    chains = Chains(gradients, Linear(NORMAL), NORMAL.draw(random, 64)[0], random)
    first = chains.run(20)
    rounds = repair(chains, first)
    short = next(rounds)
    assert short.before is first
    longer = rounds.send(More(1.5))
    assert (len(longer.window.draws), len(longer.later.draws)) == (60, 60)
    assert longer.before is first
    added = rounds.send(More(2.0, is_compared=True))
    assert (len(added.window.draws), len(added.later.draws)) == (120, 60)
    assert added.before is longer.window
    np.testing.assert_array_equal(added.later.draws, added.window.draws[60:])
    assert next(rounds).before is added.window


@pytest.mark.parametrize(("may_jump", "accepted"), [(False, 0.9), (True, 0.8)])
def test_steps_are_not_made_smaller_where_jumps_refuse(accepted: float, *, may_jump: bool) -> None:
    random = np.random.default_rng(1)
    gradients = Gradients(TARGET.target(), Timing())
    chains = Chains(gradients, Linear(NORMAL), NORMAL.draw(random, 64)[0], random)
    next(repair(chains, chains.run(20), may_jump=may_jump))
    assert chains.acceptance == pytest.approx(accepted)
