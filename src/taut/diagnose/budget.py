"""How many gradients a repair may take."""

import numpy as np

from taut.chains import Window
from taut.diagnose import criteria
from taut.diagnose.verdict import Outcome
from taut.gradients import AbstractGradients

# A gradient of less than so many operations is cheap.
_CHEAP = 30_000
# Standard error of a mean, in standard deviations, up to which a cheap repair goes on: so a fit
# that is trusted is off by no more than a tenth.
_MEAN_ERROR = 0.025
# The same of the logarithm of a standard deviation, where gradients do not correct it.
_LOG_SD_ERROR = 0.025
# How many times longer than its noise asks for a window is to be, and the bounds of that.
_SPARE, _LONGER_ONCE = 1.1, (1.25, 2.5)
# Effective draws from which on tails are said to be heavy after `heavy_times` as many, if so.
_PLENTY = 600
# Operations that a repair may take, ten to forty seconds of them, with so many for each element of
# a covariance, of up to so many dimensions, to go to its coordinates and back.
_AFFORDABLE, _EACH, _WIDE = 1.5e11, 0.6, 1000
# What it may take at least and at most, and how many times that while chains come together.
_LEAST, _MOST, _LONGER = 20_000, 600_000, 3.0
# A round in which chains have come so much nearer to one another is progress.
_NEARER = 0.8


def affordable(gradients: AbstractGradients) -> int:
    """Compute how many gradients a repair may take, by the operations of one."""
    each = gradients.operations + _EACH * min(gradients.target.dim, _WIDE) ** 2
    return int(np.clip(_AFFORDABLE / each, _LEAST, _MOST))


def extended(most: int, before: Window, window: Window) -> int:
    """Return what it may take after a round: more where chains have come nearer to one another."""
    progress = 1.0 / window.draws_each.min() < _NEARER / before.draws_each.min()
    return int(_LONGER * most) if progress else most


def is_enough(outcome: Outcome, window: Window, operations: float) -> bool:
    """Whether more rounds would not be worth their time.

    Parameters
    ----------
    outcome
        Of the rounds so far.
    window
        The last one.
    operations
        Of one gradient.
    """
    is_cheap = operations < _CHEAP
    if outcome is Outcome.HEAVY:
        bounds = criteria.CRITERIA
        plenty = bounds.heavy_times * (_PLENTY if is_cheap else bounds.effective)
        # Where the spread is known by now, another round may well agree.
        is_unknown = (window.effective_spread < bounds.effective_spread).any()
        return bool(is_unknown and (window.effective > plenty).all())
    return outcome is Outcome.REPAIRED and (not is_cheap or _is_precise(window))


def times_longer(window: Window) -> float:
    """Compute how many times longer a window has to be, to be precise, with something to spare."""
    return float(np.clip(_SPARE * _noise(window), *_LONGER_ONCE))


def _is_precise(window: Window) -> bool:
    """Whether means, and what gradients do not correct of spreads, are known well enough."""
    return _noise(window) < 1.0


def _noise(window: Window) -> float:
    """Compare variances of means and spreads with what they may be: the largest of their ratios."""
    error = window.correction.standard_error / np.maximum(window.pooled.std(axis=0), 1e-300)
    ratios = [(error.max() / _MEAN_ERROR) ** 2, _PLENTY / max(window.effective.min(), 1e-300)]
    if not window.said.holds:
        ratios.append((window.log_std_error.max() / _LOG_SD_ERROR) ** 2)
    return float(max(ratios))
