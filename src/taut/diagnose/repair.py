"""Chains that go on where a check has moved them, until they have settled."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from taut.chains import Chains, Coordinates, Linear, Window, adapted, starting_from
from taut.diagnose import criteria
from taut.diagnose.budget import More
from taut.diagnose.finding import Finding, at_most, failed
from taut.diagnose.shift import ChainCheck, of_chains
from taut.diagnose.verdict import Outcome
from taut.target import Space

# Chains that go on.
_CHAINS = 64
# Standard deviations of a Gaussian between its quartiles.
_QUARTILES = 1.349
# A round of repair: transitions that are recorded in the first, those that go before where
# coordinates are new, how many more the first become from round to round, and at most; the values
# that are held at most.
_RECORD, _SETTLE, _GROWTH, _MOST_RECORDED, _HELD = 40, 20, 1.5, 400, 25_000_000
# Independent draws that each transition of a chain is worth from which on coordinates are kept, and
# the share of the best so far below which chains go back to those of the best.
_GOOD, _WORSE = 0.2, 0.5
# Gradients that the first round takes, at least.
_FORESEEN = 12_000
# How far transitions go at most, and the shares of divergent ones from which on steps are smaller,
# and much smaller.
_FARTHEST, _RARE, _OFTEN = 6.4, 0.001, 0.005


@final
@dataclass(frozen=True)
class Round:
    """What chains did in a round, and what that is compared with.

    Parameters
    ----------
    window
        All transitions that count.
    before
        Those that it is compared with.
    since
        How many of the first are among these, too.
    """

    window: Window
    before: Window
    since: int = 0

    @property
    def later(self) -> Window:
        """The transitions that came after those it is compared with."""
        return self.window.since(self.since)


def repair(
    chains: Chains, window: Window, *, may_jump: bool = False
) -> Generator[Round, More | None, None]:
    """Go on with chains, in coordinates learnt from where they have been, without an end.

    Windows grow; transitions become longer where chains stay apart from one another, and steps
    shorter where some diverge. What is sent tells whether a window that lacks nothing but draws
    should be longer: it is gone on with.

    Parameters
    ----------
    chains
        Those of a check.
    window
        What they did there.
    may_jump
        Whether the density is known to have jumps.
    """
    begin, record = chains.coordinates, _RECORD
    assert isinstance(begin, Linear)
    most = min(_MOST_RECORDED, max(_RECORD, _HELD // (_CHAINS * chains.z.shape[1])))
    chains.keep(_CHAINS)
    chains.expect(_FORESEEN)
    # Smaller steps than a check's cost less than a round that is good but for what diverges. What
    # jumps refuse, no steps are small enough for.
    if not may_jump:
        chains.be_careful()
    known, compared = _Known(), window
    while True:
        if not known.is_good:
            start = starting_from(chains.gradients, begin.normal, window.pooled)
            _enter(chains, adapted(start, window.draws), record // 2 if may_jump else _SETTLE)
        before, window = window, chains.run(record)
        window = yield from _lengthened(chains, Round(window, compared), most)
        record = min(int(_GROWTH * record), most)
        if is_stalled(before, window):
            chains.travel = min(2.0 * chains.travel, _FARTHEST)
        # Smaller steps do not help where it is the support that ends, and little where it jumps.
        for share in (_OFTEN,) if may_jump else (_RARE, _OFTEN):
            if len(window.diverged) > share * len(window.pooled):
                chains.be_careful()
        better = known.better_than(window, chains.coordinates)
        if better is None:
            compared = window
        else:
            # The next round is not compared with one in which chains hardly moved.
            _enter(chains, better, record // 2 if may_jump else _SETTLE)


def _lengthened(chains: Chains, done: Round, most: int) -> Generator[Round, More | None, Window]:
    """Yield a round, and make it longer as often as that is asked for; return its window."""
    more = yield done
    while more is not None and len(done.window.draws) < most:
        count = len(done.window.draws)
        longer = chains.run(min(int(np.ceil(more.times * count)), most) - count, done.window)
        if more.is_compared:
            done = Round(longer, done.window, count)
        else:
            done = replace(done, window=longer)
        more = yield done
    return done.window


def _enter(chains: Chains, coordinates: Coordinates, transitions: int) -> None:
    """Go on in other coordinates, and back in those before where chains can not move in them."""
    before = chains.coordinates
    chains.precondition(coordinates)
    if not chains.settle(transitions):
        chains.precondition(before)
        chains.settle(transitions)


class _Known:
    """Coordinates that chains have moved in, and how well.

    Attributes
    ----------
    is_good
        Whether nothing more is to be learnt.
    """

    def __init__(self) -> None:
        self.is_good = False
        self._best: Coordinates | None = None
        self._worth = 0.0

    def better_than(self, window: Window, coordinates: Coordinates) -> Coordinates | None:
        """Take in a window; return coordinates in which a transition was worth far more."""
        worth = float(window.draws_each.min()) / len(window.draws)
        is_worse = worth < _WORSE * self._worth and coordinates is not self._best
        if worth >= self._worth:
            self._best, self._worth = coordinates, worth
        # What is learnt from draws that are worse than these would be worse once more.
        self.is_good |= worth >= _GOOD or is_worse
        return self._best if is_worse else None


def is_stalled(before: Window, window: Window) -> bool:
    """Whether chains are apart, and what was learnt from the window before has not halved it."""
    apart, was_apart = 1.0 / window.draws_each.min(), 1.0 / before.draws_each.min()
    return bool(apart > 1.0 / criteria.CRITERIA.draws_each and apart > 0.5 * was_apart)


def growth(before: Window, window: Window) -> float:
    """Return how many times the gradients of the last round the next one may take."""
    return _GROWTH * (2.0 if is_stalled(before, window) else 1.0)


def outcome_of(
    found: ChainCheck, before: Window, space: Space
) -> tuple[Outcome, tuple[Finding, ...]]:
    """Judge a repair by its last two windows, and return which criteria do not hold.

    Parameters
    ----------
    found
        What the last one shifted.
    before
        The one before.
    space
        Names the elements.
    """
    wrong = failed(found.of_repair(space))
    if not wrong:
        return Outcome.REPAIRED, ()
    # Where all but the rounds' moments agree, tails keep these from settling.
    others = failed(of_chains(found.window, space, may_jump=found.may_jump))
    enough = (found.window.effective > criteria.CRITERIA.effective).all()
    quartiles = _of_quartiles(before, found.window, space)
    if not others and enough and quartiles.holds:
        return Outcome.HEAVY, wrong
    return Outcome.UNSETTLED, wrong


def _of_quartiles(before: Window, window: Window, space: Space) -> Finding:
    """Compare medians, and logarithms of the distance between quartiles, which have no tails.

    In units of a Gaussian's standard deviation.
    """
    (low, median, high), (lower, middle, higher) = before.quartiles, window.quartiles
    width, wide = np.maximum(high - low, 1e-300), np.maximum(higher - lower, 1e-300)
    shift = np.abs(middle - median) * _QUARTILES / width
    shift = np.maximum(shift, np.abs(np.log(wide / width)))
    bound = np.full(space.dim, criteria.CRITERIA.settled_shift)
    words = "quartiles move by {:.2f} sd (bound {:.2f})"
    return at_most("settled_shift", words, shift, bound, space)
