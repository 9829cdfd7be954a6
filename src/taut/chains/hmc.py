"""Many short Hamiltonian chains side by side, in coordinates near which the target is standard.

The transitions are a few lines of NumPy around the gradient program that a fit has compiled
already: a compiled kernel of its own would take longer to compile than all chains take to run.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from taut.chains.control_variates import Correction, Said, Tally
from taut.chains.coordinates import Coordinates
from taut.gradients import AbstractGradients

# Transitions are this long where the target is standard: about a quarter of a turn.
_TRAVEL = 1.6
_MOST_LEAPS = 64
# What Hamiltonian chains should accept, at first and at most, and how fast the step size follows.
_ACCEPTED, _MOST_ACCEPTED, _RATE = 0.8, 0.99, 0.15
# Steps of a chain vary, so that some are small enough for the narrow parts of a posterior.
_SHORTEST, _LONGEST = 0.4, 1.2
# Error of the energy from which on a trajectory counts as divergent, as in Stan and PyMC.
_DIVERGENT = 1000.0

Points = Float[np.ndarray, "chains dim"]


@dataclass(frozen=True)
class Window:
    """What chains did in some transitions.

    Parameters
    ----------
    draws
        Where they were, in the unconstrained space.
    accepted
        Mean acceptance probability of each chain.
    said
        What noise of their mean and spread the gradients at draws show.
    diverged
        Where transitions that diverged were last, before the density was not finite.
    left
        Where those were last that ended where the density is zero.
    """

    draws: Float[np.ndarray, "transitions chains dim"]
    accepted: Float[np.ndarray, " chains"]
    said: Said
    diverged: Float[np.ndarray, "divergences dim"]
    left: Float[np.ndarray, "ends dim"]

    @property
    def correction(self) -> Correction:
        """Takes from draws the noise that gradients show, where these can be believed."""
        return self.said.correction

    @property
    def divergent(self) -> float:
        """Share of transitions that diverged, or left the support."""
        ended = len(self.diverged) + len(self.left)
        return ended / (self.draws.shape[0] * self.draws.shape[1])

    @cached_property
    def pooled(self) -> Float[np.ndarray, "draws dim"]:
        """All draws, one a row."""
        return self.draws.reshape(-1, self.draws.shape[2])

    @cached_property
    def corrected(self) -> Float[np.ndarray, "draws dim"]:
        """All draws, without the noise that their gradients show."""
        return self.correction(self.pooled)

    @cached_property
    def quartiles(self) -> Float[np.ndarray, "3 dim"]:
        """Of the draws without that noise."""
        return np.quantile(self.corrected, (0.25, 0.5, 0.75), axis=0)

    @cached_property
    def draws_each(self) -> Float[np.ndarray, " dim"]:
        r"""Independent draws of the posterior that each chain is worth.

        .. math:: W / B

        with the variance B of the chains' means and the mean W of their variances, of the values
        and of their distances from the median; the smaller is taken. It tells whether every chain
        has seen what all have seen, also where chains are so short that a classic
        :math:`\hat R = \sqrt{1 + B / W}` near 1 would take far more of them.
        """
        away = np.abs(self.draws - np.median(self.pooled, axis=0))
        return np.minimum(_draws_each(self.draws), _draws_each(away))

    @cached_property
    def standard_error(self) -> Float[np.ndarray, " dim"]:
        """Of the means, from the spread of the chains' own."""
        means = self.draws.mean(axis=0)
        return means.std(axis=0, ddof=1) / np.sqrt(len(means))

    @cached_property
    def log_std_error(self) -> Float[np.ndarray, " dim"]:
        """Of the logarithms of the standard deviations, from the chains' own mean squares."""
        away = self.draws - self.pooled.mean(axis=0)
        squares = (away**2).mean(axis=0) / np.maximum(self.pooled.var(axis=0), 1e-300)
        return 0.5 * squares.std(axis=0, ddof=1) / np.sqrt(len(squares))

    @cached_property
    def effective(self) -> Float[np.ndarray, " dim"]:
        """Independent draws that would tell the mean as well."""
        return self.pooled.var(axis=0) / np.maximum(self.standard_error**2, 1e-300)

    @cached_property
    def effective_spread(self) -> Float[np.ndarray, " dim"]:
        """Independent draws of a Gaussian that would tell the standard deviation as well."""
        return 0.5 / np.maximum(self.log_std_error**2, 1e-300)


def _draws_each(
    draws: Float[np.ndarray, "transitions chains dim"],
) -> Float[np.ndarray, " dim"]:
    within = draws.var(axis=0, ddof=1).mean(axis=0)
    between = draws.mean(axis=0).var(axis=0, ddof=1)
    return within / np.maximum(between, 1e-300)


@dataclass(frozen=True)
class End:
    """How the trajectories of a transition ended.

    Parameters
    ----------
    probability
        Of acceptance.
    diverged
        Whether the error of the energy has no bounds.
    outside
        Whether the density is zero there.
    last
        Where they were last that the density was finite.
    """

    probability: Float[np.ndarray, " chains"]
    diverged: Bool[np.ndarray, " chains"]
    outside: Bool[np.ndarray, " chains"]
    last: Points

    @classmethod
    def nowhere(cls, dim: int) -> "End":
        """Give that of no trajectory."""
        none = np.empty(0, bool)
        return cls(np.empty(0), none, none, np.empty((0, dim)))

    @property
    def acceptance(self) -> float:
        """Mean probability; no step size keeps those in that leave the support, if they are few."""
        inside = self.probability[~self.outside]
        return float((inside if 2 * len(inside) > len(self.outside) else self.probability).mean())

    @property
    def lost(self) -> tuple[Points, Points]:
        """Where those were last that diverged within the support, and those that left it."""
        return self.last[self.diverged & ~self.outside], self.last[self.outside]


class Chains:
    """Chains that go on from where they are.

    Parameters
    ----------
    gradients
        Of the log density.
    coordinates
        In which they move.
    starts
        One a chain; those without a finite density begin where others do.
    random
        Decides their moves.

    Attributes
    ----------
    gradients
        Of the log density.
    coordinates
        In which they move.
    travel
        How far a transition goes, in these coordinates.
    acceptance
        What share of proposals they should accept.
    """

    def __init__(
        self,
        gradients: AbstractGradients,
        coordinates: Coordinates,
        starts: Points,
        random: np.random.Generator,
    ) -> None:
        self.gradients, self._random = gradients, random
        self.travel, self.acceptance = _TRAVEL, _ACCEPTED
        self.z = self._usable(starts)
        self.precondition(coordinates)

    @property
    def step(self) -> float:
        """Step size, in the coordinates."""
        return float(np.exp(self._log_step))

    def precondition(self, coordinates: Coordinates) -> None:
        """Move in other coordinates from now on."""
        values, slopes = self._evaluate(self.z)
        self.coordinates, self._x = coordinates, coordinates.whiten(self.z)
        self._values = values + coordinates.push(self._x)[1]
        self._slopes = coordinates.pull(self._x, slopes)
        self._log_step = float(np.log(0.9 * self.z.shape[1] ** -0.25))

    def add(self, starts: Points) -> None:
        """Let more chains begin."""
        self.z = np.concatenate([self.z, self._usable(starts)])
        self.precondition(self.coordinates)

    def keep(self, count: int) -> None:
        """Let some chains go on, chosen at random, and no others."""
        self.z = self.z[self._random.permutation(len(self.z))[:count]]
        self.precondition(self.coordinates)

    def be_careful(self) -> None:
        """Take smaller steps from now on: refuse half as many proposals."""
        self.acceptance = min(1.0 - (1.0 - self.acceptance) / 2.0, _MOST_ACCEPTED)

    def _evaluate(self, z: Points) -> tuple[Float[np.ndarray, " chains"], Points]:
        """Evaluate the density and its gradient, with 0 for what has no derivative.

        Moves keep the density whatever the force is that drives them, if it depends on the place
        alone: what is no number for rounding, such as a probability of exactly 1, ends no chain.
        """
        values, slopes = self.gradients(z)
        if not np.isfinite(slopes).all():
            slopes = np.where(np.isfinite(slopes), slopes, 0.0)
        return values, slopes

    def _usable(self, starts: Points) -> Points:
        good = np.isfinite(self._evaluate(starts)[0])
        return starts[_refilled(good, self._random)]

    def run(self, transitions: int) -> Window:
        """Make some transitions; the step size is adapted all the while."""
        draws = np.empty((transitions, *self.z.shape))
        accepted, tally = np.zeros(len(self.z)), Tally(*self.z.shape)
        ends = [End.nowhere(self.z.shape[1])]
        for i in range(transitions):
            end = self._move()
            accepted += end.probability / transitions
            ends.append(end)
            self._log_step += _RATE * (end.acceptance - self.acceptance)
            draws[i] = self.z
            tally.add(self._x, self._slopes)
        said = tally.said(self.coordinates)
        diverged, left = (
            np.concatenate(some) for some in zip(*(e.lost for e in ends), strict=True)
        )
        return Window(draws, accepted, said, diverged, left)

    def _move(self) -> "End":
        """Move all chains once."""
        count, dim = self.z.shape
        steps = self.step * self._random.uniform(_SHORTEST, _LONGEST, (count, 1))
        momentum = self._random.normal(size=(count, dim))
        before = 0.5 * (momentum**2).sum(axis=1) - self._values
        leaps = int(np.clip(np.ceil(self.travel / self.step), 1, _MOST_LEAPS))
        with np.errstate(all="ignore"):
            momentum, x, z, values, slopes, last = self._leapfrog(momentum, steps, leaps)
            error = 0.5 * (momentum**2).sum(axis=1) - values - before
            error = np.where(np.isfinite(error), error, np.inf)
            probability = np.exp(-np.maximum(error, 0.0))
        self._take(self._random.random(count) < probability, x, z, values, slopes)
        return End(probability, error > _DIVERGENT, np.isneginf(values), last)

    def _leapfrog(
        self, momentum: Points, steps: Float[np.ndarray, "chains 1"], leaps: int
    ) -> tuple[Points, Points, Points, Float[np.ndarray, " chains"], Points, Points]:
        x, z, values, slopes, last = self._x, self.z, self._values, self._slopes, self.z
        momentum = momentum + 0.5 * steps * slopes
        for leap in range(leaps):
            x = x + steps * momentum
            z, log_det = self.coordinates.push(x)
            values, slopes = self._evaluate(z)
            values, slopes = values + log_det, self.coordinates.pull(x, slopes)
            last = np.where(np.isfinite(values)[:, None], z, last)
            momentum = momentum + (1.0 if leap < leaps - 1 else 0.5) * steps * slopes
        return momentum, x, z, values, slopes, last

    def _take(
        self,
        moved: Bool[np.ndarray, " chains"],
        x: Points,
        z: Points,
        values: Float[np.ndarray, " chains"],
        slopes: Points,
    ) -> None:
        self._x = np.where(moved[:, None], x, self._x)
        self.z = np.where(moved[:, None], z, self.z)
        self._values = np.where(moved, values, self._values)
        self._slopes = np.where(moved[:, None], slopes, self._slopes)


def _refilled(good: Bool[np.ndarray, " chains"], random: np.random.Generator) -> np.ndarray:
    """Give the numbers of good starts, and good ones in place of the others."""
    numbers = np.arange(len(good))
    if not good.any():
        return numbers
    return np.where(good, numbers, random.choice(numbers[good], len(good)))
