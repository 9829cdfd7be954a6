"""From an approximation to a report on it."""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from taut.chains import Chains, Room, Window
from taut.diagnose.journal import Journal
from taut.diagnose.shift import Moments
from taut.diagnose.verdict import Outcome
from taut.engine import single_threaded
from taut.family import Particles
from taut.gaussian import DenseNormal, Normal, ScaledLowRankNormal
from taut.gradients import AbstractGradients

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
        return ScaledLowRankNormal.diagonal(mean, std)
    cov = np.atleast_2d(np.cov(draws.T))
    return DenseNormal.of(mean, cov + np.diag(1e-9 * std**2))


def particles(
    window: Window,
    random: np.random.Generator,
    dtype: str,
    *,
    settled: bool,
    room: Room | None = None,
) -> Particles:
    """Keep draws of chains as an approximation.

    Parameters
    ----------
    window
        Of the chains.
    random
        Decides which are kept, where there are many.
    dtype
        Of the draws.
    settled
        Whether they are moved to where gradients say that mean and spread are: those of chains that
        have not settled are left where the density was found to be finite.
    room
        Where the chains moved, if that is not the space of z.
    """
    draws = window.corrected if settled else window.pooled
    kept = draws[random.permutation(len(draws))[:_KEPT]]
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

    def outcome(
        self, draws: Draws, moments: Moments | None = None, normal: Normal | None = None
    ) -> Outcome:
        """Check draws of `q`.

        Parameters
        ----------
        draws
            The draws.
        moments
            Of `q`, where they are known; else those of the draws, whose noise is counted.
        normal
            `q` itself, if it is a Gaussian; else one is fitted to the draws.
        """
        with single_threaded(self.gradients.target.largest_matrix):
            self._judge(draws, moments, normal)
        assert self.journal.outcome is not None
        return self.journal.outcome

    def rounds(
        self, draws: Draws, moments: Moments | None = None, normal: Normal | None = None
    ) -> Generator[tuple[Window, Room]]:
        """Go on from draws of `q` without an end; yield what chains did in a round, and where."""
        chains, room = self._judge(draws, moments, normal)
        for window in self.journal.repair(room.gradients, chains):
            yield window, room

    def kept(self, window: Window, room: Room, *, settled: bool) -> Particles:
        """Keep draws of the chains of a round."""
        dtype = self.gradients.target.dtype
        return particles(window, self.random, dtype, settled=settled, room=room)

    def _judge(
        self, draws: Draws, moments: Moments | None, normal: Normal | None
    ) -> tuple[Chains, Room]:
        normal = normal_of(draws) if normal is None else normal
        room = Room.of(self.gradients, normal, draws)
        # Moments of z are none of what chains move in.
        known = moments if room.draws is draws else None
        chains = self.journal.judge(room.gradients, room.normal, room.draws, self.random, known)
        return chains, room
