"""Many short Hamiltonian chains side by side, in coordinates near which the target is standard."""

import numpy as np
from jaxtyping import Bool

from taut.chains.compiled_kernel import CompiledKernel
from taut.chains.control_variates import Tally
from taut.chains.coordinates import Coordinates, Points
from taut.chains.kernel import HostKernel, Kernel, Record, Tuning
from taut.chains.transition import ChainState, Noise, usable
from taut.chains.window import Window
from taut.gradients import AbstractGradients

# Transitions are this long where the target is standard: about a quarter of a turn.
_TRAVEL = 1.6
# What Hamiltonian chains should accept, at first and at most.
_ACCEPTED, _MOST_ACCEPTED = 0.8, 0.99
# Steps of a chain vary, so that some are small enough for the narrow parts of a posterior.
_SHORTEST, _LONGEST = 0.4, 1.2


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
        self._compiled = False
        self.z = self._usable(starts)
        self.precondition(coordinates)

    def compile(self) -> None:
        """Make transitions by a program of their own, from the next `precondition` on."""
        self._compiled = True

    @property
    def step(self) -> float:
        """Step size, in the coordinates."""
        return float(np.exp(self._log_step))

    def precondition(self, coordinates: Coordinates) -> None:
        """Move in other coordinates from now on."""
        values, slopes = usable(*self.gradients(self.z))
        x, self.coordinates = coordinates.whiten(self.z), coordinates
        log_det = coordinates.push(x)[1]
        self._state = ChainState(x, self.z, values + log_det, coordinates.pull(x, slopes))
        self._kernel = self._kernel_of(coordinates)
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

    def _kernel_of(self, coordinates: Coordinates) -> Kernel:
        if self._compiled:
            return CompiledKernel(self.gradients, coordinates, len(self.z))
        return HostKernel(self.gradients, coordinates)

    def _usable(self, starts: Points) -> Points:
        good = np.isfinite(self.gradients(starts)[0])
        return starts[_refilled(good, self._random)]

    def run(self, transitions: int) -> Window:
        """Make some transitions; the step size is adapted all the while."""
        draws, tally = np.empty((transitions, *self.z.shape)), Tally(*self.z.shape)
        accepted, diverged, left = np.zeros(len(self.z)), [], []
        for first in range(0, transitions, self._kernel.together):
            record = self._advance(min(self._kernel.together, transitions - first))
            draws[first : first + len(record.state.z)] = record.state.z
            tally.add(record.state.x, record.state.slopes)
            accepted += record.end.probability.sum(axis=0) / transitions
            diverged.append(record.end.last[record.end.diverged & ~record.end.outside])
            left.append(record.end.last[record.end.outside])
        said = tally.said(self.coordinates)
        return Window(draws, accepted, said, np.concatenate(diverged), np.concatenate(left))

    def _advance(self, transitions: int) -> Record:
        """Move all chains so many times."""
        noise = [self._noise() for _ in range(transitions)]
        tuning = Tuning(self._log_step, self.travel, self.acceptance)
        tuning, record = self._kernel.advance(self._state, tuning, noise)
        self._state = ChainState(*(each[-1] for each in record.state))
        self.z, self._log_step = self._state.z, float(tuning.log_step)
        return record

    def _noise(self) -> Noise:
        count, dim = self.z.shape
        stretch = self._random.uniform(_SHORTEST, _LONGEST, count)
        momentum = self._random.normal(size=(count, dim))
        return Noise(momentum, stretch, self._random.random(count))


def _refilled(good: Bool[np.ndarray, " chains"], random: np.random.Generator) -> np.ndarray:
    """Give the numbers of good starts, and good ones in place of the others."""
    numbers = np.arange(len(good))
    if not good.any():
        return numbers
    return np.where(good, numbers, random.choice(numbers[good], len(good)))
