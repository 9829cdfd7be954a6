"""How many gradients a repair may take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from taut.chains import Window
from taut.diagnose import criteria
from taut.diagnose.finding import Finding
from taut.diagnose.verdict import Outcome
from taut.gradients import AbstractGradients

# A gradient of less than so many operations is cheap.
_CHEAP = 30_000
# Standard error of a mean, in standard deviations, up to which a cheap repair goes on: so a fit
# that is trusted is off by no more than a tenth.
_MEAN_ERROR = 0.025
# The same of the logarithm of a standard deviation, where gradients do not correct it.
_LOG_SD_ERROR = 0.025
# Criteria that more draws meet, and the one that they may meet if compared with those before.
_OF_NUMBER, _OF_ROUNDS = {"effective", "effective_spread"}, {"settled_shift"}
# Draws that the result of a cheap repair has at least: with fewer, tails of what is computed from
# them are known badly, however well the chains mix.
_FEWEST = 3_840
# How many times longer than its noise asks for a window is to be, and the bounds of that.
_SPARE, _LONGER_ONCE = 1.1, (1.25, 2.5)
# The same where the draws that are added are compared with those before, which is done where no
# more than so many times of what may be moved was.
_AS_MANY, _NEAR = 2.0, 2.0
# Effective draws up to which a repair goes on where gradients are cheap, and where they are dear.
# Tails are said to be heavy after `heavy_times` as many as the first.
_PLENTY, _SOME = 600, 400
# Operations that a repair may take, ten to forty seconds of them, with so many for each element of
# a covariance, of up to so many dimensions, to go to its coordinates and back.
_AFFORDABLE, _EACH, _WIDE = 1.5e11, 0.6, 1000
# What it may take at least and at most, and how many times that while chains come together.
_LEAST, _MOST, _LONGER = 20_000, 900_000, 3.0
# What a fit of a density with jumps may take, all in all.
JUMPING = 640_000
# A round in which chains have come so much nearer to one another is progress.
_NEARER = 0.8


@final
@dataclass(frozen=True)
class More:
    """How much longer a window should be.

    Parameters
    ----------
    times
        So many times, all in all.
    is_compared
        Whether what is added is compared with what is there.
    """

    times: float
    is_compared: bool = False


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
        # Where the spread is known by now, another round may well agree. So it may where chains are
        # slow to tell what as many independent draws would.
        spread = window.effective_spread
        if window.said.holds:
            spread = np.maximum(spread, window.spread_of_independent)
        is_unknown = spread < bounds.effective_spread
        return bool(is_unknown.any() and (window.effective > plenty).all())
    if outcome is not Outcome.REPAIRED:
        return False
    return _is_precise(window) if is_cheap else bool((window.effective > _SOME).all())


def more_of(
    outcome: Outcome, wrong: Sequence[Finding], window: Window, moved: float
) -> More | None:
    """Compute how much longer a window should be, with something to spare.

    Parameters
    ----------
    outcome, wrong
        Of the rounds so far, and the criteria that do not hold.
    window
        The last one.
    moved
        How far it moved a mean or a log standard deviation from those before.

    Returns
    -------
    More or None
        `None` where more of the same would not help.
    """
    if outcome is Outcome.REPAIRED:
        times = max(_SPARE * _noise(window), _missing(window))
        return More(float(np.clip(times, *_LONGER_ONCE)))
    failed = {finding.criterion for finding in wrong}
    # A window of slow chains that gradients do not vouch for is better begun anew.
    if not failed or not failed <= {*_OF_NUMBER, *_OF_ROUNDS} or not window.said.holds:
        return None
    times = _SPARE * _lacking(window)
    if failed <= _OF_NUMBER:
        return More(float(np.clip(times, *_LONGER_ONCE)))
    # Chains that are together have come a little way from where those before them were: as many
    # draws more tell whether they stay.
    if moved >= _NEAR * criteria.CRITERIA.settled_shift or times > _LONGER_ONCE[1]:
        return None
    return More(max(times, _AS_MANY), is_compared=True)


def _lacking(window: Window) -> float:
    """Compare what draws are asked to be worth with what they are: the larger ratio."""
    bounds = criteria.CRITERIA
    return max(
        bounds.effective / max(float(window.effective.min()), 1.0),
        bounds.effective_spread / max(float(window.effective_spread.min()), 1.0),
    )


def _is_precise(window: Window) -> bool:
    """Whether means, and what gradients do not correct of spreads, are known well enough."""
    return _noise(window) < 1.0 and _missing(window) <= 1.0


def _noise(window: Window) -> float:
    """Compare variances of means and spreads with what they may be: the largest of their ratios."""
    error = window.correction.standard_error / np.maximum(window.pooled.std(axis=0), 1e-300)
    ratios = [(error.max() / _MEAN_ERROR) ** 2, _PLENTY / max(window.effective.min(), 1e-300)]
    if not window.said.holds:
        ratios.append((window.log_std_error.max() / _LOG_SD_ERROR) ** 2)
    return float(max(ratios))


def _missing(window: Window) -> float:
    """Compare the number of draws that there should be with that of those there are."""
    return _FEWEST / len(window.pooled)
