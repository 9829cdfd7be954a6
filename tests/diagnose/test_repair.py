"""Chains that go on until they have settled, and what they learn on the way."""

from typing import Any

import numpy as np
import pytest

from cases import regression
from taut.chains import Chains, Coordinates, Linear
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
    rounds = repair(chains, chains.run(20))
    for number in range(4):
        window = next(rounds)
        used = learnt[0] if number < 2 else learnt[number]
        assert chains.coordinates is used
        away = (window.pooled.mean(axis=0) - NORMAL.mean) / NORMAL.std
        assert np.abs(away).max() < 0.1
