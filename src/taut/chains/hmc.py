"""Many short Hamiltonian chains side by side, in coordinates near which the target is standard."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from taut.chains.compiled_leapfrog import CompiledIntegrator, can_compile
from taut.chains.control_variates import Tally
from taut.chains.coordinates import Coordinates, Points
from taut.chains.fixed_shape import is_bent
from taut.chains.leapfrog import AbstractIntegrator, ChainState, HostIntegrator, usable
from taut.chains.window import Window
from taut.gradients import AbstractGradients

# Transitions are this long where the target is standard: about a quarter of a turn.
_TRAVEL = 1.6
_MOST_LEAPS = 64
# What Hamiltonian chains should accept, at first and at most, and how fast the step size follows.
_ACCEPTED, _MOST_ACCEPTED, _RATE = 0.8, 0.99, 0.03
# Times that may be refused what should be, for all that a step follows it.
_REFUSED_MOST = 5.0
# Gradients around Python, counted apart for linear coordinates and for bent ones, from which on a
# program is worth its compilation; more, by the equation, where that takes longer.
_FEW, _FEW_EACH = 8_000, 15
# First transitions in new coordinates, and the acceptance under which these are of no use.
_TRIED, _REFUSED = 8, 0.1
# Error of the energy from which on a trajectory counts as divergent, as in Stan and PyMC.
_DIVERGENT = 1000.0
# Steps of a chain vary, so that some are small enough for the narrow parts of a posterior.
_SHORTEST, _LONGEST = 0.4, 1.2


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
        """Return that of no trajectory."""
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
        self._around_python = {True: 0, False: 0}
        self._tally: Tally | None = None
        self.z = self._usable(starts)
        self.precondition(coordinates)

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
        self._log_step = float(np.log(0.9 * self.z.shape[1] ** -0.25))

    def add(self, starts: Points) -> None:
        """Let more chains begin."""
        self.z = np.concatenate([self.z, self._usable(starts)])
        self.precondition(self.coordinates)

    def keep(self, count: int) -> None:
        """Let some chains go on, chosen at random, and no others."""
        self.z = self.z[self._random.permutation(len(self.z))[:count]]
        self.precondition(self.coordinates)

    def expect(self, gradients: int) -> None:
        """Count gradients that are foreseen, so that a program is compiled before them."""
        self._around_python = {bent: n + gradients for bent, n in self._around_python.items()}

    def be_careful(self) -> None:
        """Take smaller steps from now on: refuse half as many proposals."""
        self.acceptance = min(1.0 - (1.0 - self.acceptance) / 2.0, _MOST_ACCEPTED)

    def _integrator(self) -> AbstractIntegrator:
        """Choose what follows trajectories: a program, once those around Python have been many."""
        few = max(_FEW, _FEW_EACH * self.gradients.equations)
        worth = self._around_python[is_bent(self.coordinates)] >= few
        kind = CompiledIntegrator if worth and can_compile(self.gradients) else HostIntegrator
        return kind(self.gradients, self.coordinates)

    def _usable(self, starts: Points) -> Points:
        good = np.isfinite(self.gradients(starts)[0])
        return starts[_refilled(good, self._random)]

    def settle(self, transitions: int) -> bool:
        """Adapt the step size to new coordinates; return whether chains can move in them.

        Where nearly all of the first proposals are refused, it ends with these.
        """
        accepted, integrate = 0.0, self._integrator()
        for i in range(transitions):
            end = self._move(integrate)
            accepted += float(end.probability.mean())
            self._follow(end)
            if i + 1 == _TRIED and accepted < _REFUSED * _TRIED:
                return False
        return True

    def run(self, transitions: int, onto: Window | None = None) -> Window:
        """Make some transitions; the step size is adapted all the while.

        Parameters
        ----------
        transitions
            How many.
        onto
            What the last call returned, if these are to be counted with its own.
        """
        draws = np.empty((transitions, *self.z.shape))
        accepted, tally = np.zeros(len(self.z)), self._tally
        if onto is None or tally is None:
            self._tally = tally = Tally(*self.z.shape)
        ends, integrate = [End.nowhere(self.z.shape[1])], self._integrator()
        for i in range(transitions):
            end = self._move(integrate)
            accepted += end.probability / transitions
            ends.append(end)
            self._follow(end)
            draws[i] = self.z
            tally.add(self._state.x, self._state.slopes)
        said = tally.said(self.coordinates)
        diverged, left = (
            np.concatenate(some) for some in zip(*(e.lost for e in ends), strict=True)
        )
        window = Window(draws, accepted, said, diverged, left)
        return window if onto is None else onto.joined(window)

    def _follow(self, end: End) -> None:
        """Adapt the step size, as quickly whatever share of proposals should be refused."""
        refused = (1.0 - end.acceptance) / (1.0 - self.acceptance)
        self._log_step += _RATE * (1.0 - min(refused, _REFUSED_MOST))

    def _move(self, integrate: AbstractIntegrator) -> End:
        """Move all chains once."""
        count, dim = self.z.shape
        steps = self.step * self._random.uniform(_SHORTEST, _LONGEST, (count, 1))
        momentum = self._random.normal(size=(count, dim))
        leaps = int(np.clip(np.ceil(self.travel / self.step), 1, _MOST_LEAPS))
        made = integrate(self._state, momentum, steps, leaps)
        if isinstance(integrate, HostIntegrator):
            self._around_python[is_bent(self.coordinates)] += leaps * count
        with np.errstate(all="ignore"):
            error = _energy(made.state, made.momentum) - _energy(self._state, momentum)
            error = np.where(np.isfinite(error), error, np.inf)
            probability = np.exp(-np.maximum(error, 0.0))
        self._take(self._random.random(count) < probability, made.state)
        return End(probability, error > _DIVERGENT, np.isneginf(made.state.values), made.last)

    def _take(self, moved: Bool[np.ndarray, " chains"], state: ChainState) -> None:
        self._state = ChainState(
            *(
                np.where(moved.reshape(-1, *[1] * (new.ndim - 1)), new, old)
                for new, old in zip(state, self._state, strict=True)
            )
        )
        self.z = self._state.z


def _energy(state: ChainState, momentum: Points) -> Float[np.ndarray, " chains"]:
    return 0.5 * (momentum**2).sum(axis=1) - state.values


def _refilled(good: Bool[np.ndarray, " chains"], random: np.random.Generator) -> np.ndarray:
    """Return the numbers of good starts, and good ones in place of the others."""
    numbers = np.arange(len(good))
    if not good.any():
        return numbers
    return np.where(good, numbers, random.choice(numbers[good], len(good)))
