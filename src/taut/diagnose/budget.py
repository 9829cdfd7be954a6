"""How many gradients a repair may take."""

import numpy as np

from taut.chains import Window
from taut.diagnose import criteria
from taut.diagnose.verdict import Outcome
from taut.gradients import AbstractGradients

# Effective draws to go on for where a gradient takes less than so many operations.
_PLENTY, _CHEAP = 600, 30_000
# Operations that a repair may take, ten to forty seconds of them, with so many for each element of
# a covariance, of up to so many dimensions, to go to its coordinates and back.
_AFFORDABLE, _EACH, _WIDE = 1.5e11, 0.6, 1000
# What it may take at least and at most, and how many times that while chains come together.
_LEAST, _MOST, _LONGER = 20_000, 600_000, 3.0
# A round in which chains have come so much nearer to one another is progress.
_NEARER = 0.8


def affordable(gradients: AbstractGradients) -> int:
    """Give the gradients that a repair may take, by the operations of one."""
    each = gradients.operations + _EACH * min(gradients.target.dim, _WIDE) ** 2
    return int(np.clip(_AFFORDABLE / each, _LEAST, _MOST))


def extended(most: int, before: Window, window: Window) -> int:
    """Give what it may take after a round: more where chains have come nearer to one another."""
    progress = 1.0 / window.draws_each.min() < _NEARER / before.draws_each.min()
    return int(_LONGER * most) if progress else most


def wanted(gradients: AbstractGradients) -> float:
    """Give the effective draws that a repair goes on for."""
    return _PLENTY if gradients.operations < _CHEAP else criteria.CRITERIA.effective


def is_enough(outcome: Outcome, window: Window, wanted: float) -> bool:
    """Whether more rounds would not be worth their time."""
    times = {Outcome.REPAIRED: 1.0, Outcome.HEAVY: criteria.CRITERIA.heavy_times}
    return bool((window.effective > times.get(outcome, np.inf) * wanted).all())
