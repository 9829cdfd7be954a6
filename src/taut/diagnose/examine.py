"""From an approximation to a report on it."""

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from taut.chains import Window
from taut.diagnose.journal import Journal
from taut.diagnose.verdict import Outcome
from taut.family import Particles
from taut.gradients import AbstractGradients
from taut.normal import Dense, Normal, Structured
from taut.periods import Room
from taut.threads import single_threaded

# Draws of chains that are kept.
_KEPT = 10_240
# Dimensions up to which a covariance is written out, and draws it takes for each.
_DENSE, _DRAWS_EACH = 1000, 5

Draws = Float[np.ndarray, "draws dim"]


def normal_of(draws: Draws) -> Normal:
    """Fit a Gaussian to draws; one without correlations where they are too few for those."""
    count, dim = draws.shape
    mean, std = draws.mean(axis=0), np.maximum(draws.std(axis=0), 1e-12)
    if dim > _DENSE or count < _DRAWS_EACH * dim:
        return Structured.diagonal(mean, std)
    cov = np.atleast_2d(np.cov(draws.T))
    return Dense.of(mean, cov + np.diag(1e-9 * std**2))


def particles(
    window: Window, random: np.random.Generator, dtype: str, room: Room | None = None
) -> Particles:
    """Keep draws of chains as an approximation, those of z where chains moved elsewhere."""
    kept = window.corrected[random.permutation(len(window.corrected))[:_KEPT]]
    return Particles((kept if room is None else room.outside(kept)).astype(dtype))


@dataclass(frozen=True)
class Judge:
    """Lets short chains judge draws, and goes on with them.

    Parameters
    ----------
    gradients
        Of the log density.
    random
        Decides the moves.
    journal
        Where it writes.
    """

    gradients: AbstractGradients
    random: np.random.Generator
    journal: Journal

    def outcome(self, draws: Draws) -> Outcome:
        """Check draws of `q`."""
        with single_threaded(self.gradients.target.largest_matrix):
            room = Room.of(self.gradients, normal_of(draws), draws)
            self.journal.judge(room.gradients, room.normal, room.draws, self.random)
        assert self.journal.check is not None
        return Outcome.CHECKED if self.journal.check.is_passed else Outcome.MOVED

    def repaired(self, draws: Draws, rounds: int) -> Particles:
        """Go on from draws of `q` until nothing shifts, and give the draws of the chains."""
        with single_threaded(self.gradients.target.largest_matrix):
            return self._repaired(draws, rounds)

    def _repaired(self, draws: Draws, rounds: int) -> Particles:
        room = Room.of(self.gradients, normal_of(draws), draws)
        chains = self.journal.judge(room.gradients, room.normal, room.draws, self.random)
        assert self.journal.check is not None
        self.journal.outcome = Outcome.UNSETTLED
        window = self.journal.check.window
        for window in itertools.islice(self.journal.repair(room.gradients, chains), rounds):  # noqa: B007
            if self.journal.outcome is Outcome.REPAIRED:
                break
        return particles(window, self.random, self.gradients.target.dtype, room)
