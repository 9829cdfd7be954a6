"""How long chains go on that have settled: until what they say is precise."""

import numpy as np
import pytest

from taut.diagnose import Outcome, is_enough
from taut.diagnose.budget import times_longer

from .windows import drawn, window

CHEAP = 1_000.0


@pytest.mark.parametrize(("effective", "times"), [(4_000.0, 1.25), (1_600.0, 1.25), (400.0, 1.65)])
def test_noise_tells_how_much_longer(effective: float, times: float) -> None:
    """600 effective draws are asked for; variances fall with the length."""
    found = window(drawn(), effective=effective)
    assert times_longer(found) == pytest.approx(times, rel=0.01)
    assert is_enough(Outcome.REPAIRED, found, CHEAP) is (effective > 600.0)


def test_one_call_does_not_go_on_for_ever() -> None:
    assert times_longer(window(drawn(), effective=1.0)) == 2.5


def test_a_window_of_noise_alone_asks_for_more_of_itself() -> None:
    """The mean of so few chains, without what gradients say of it, is known less well."""
    few = np.random.default_rng(1).normal(size=(10, 20, 1))
    assert times_longer(window(few)) > 2.0
