"""Leapfrog steps of Hamiltonian chains, for arrays of NumPy and for those that JAX traces."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol, final

import jax
import jax.numpy as jnp
import numpy as np

from taut.chains.coordinates import Coordinates, Points
from taut.chains.non_centering import rounded_away
from taut.gradients import AbstractGradients

# The log density and its gradient at points of z.
Evaluate = Callable[[Any], tuple[Any, Any]]


class ChainState(NamedTuple):
    """Where chains are.

    Parameters
    ----------
    x
        In the coordinates, a row for each chain.
    z
        In the unconstrained space.
    values
        The log density of x.
    slopes
        Its gradient.
    """

    x: Any
    z: Any
    values: Any
    slopes: Any


class Trajectory(NamedTuple):
    """Where trajectories ended.

    Parameters
    ----------
    state
        The places.
    momentum
        Of each there.
    last
        Where each was last that the density was finite.
    """

    state: ChainState
    momentum: Any
    last: Any


class Repeat(Protocol):
    """A loop: in Python, or one that JAX compiles."""

    def __call__(self, count: Any, body: Callable[[Any, Any], Any], start: Any) -> Any:
        """Return what is left of `start` after ``body(i, ...)`` for each i below `count`."""
        ...


class AbstractIntegrator(ABC):
    """Follows chains along the gradient."""

    @abstractmethod
    def __call__(
        self, state: ChainState, momentum: Points, steps: Points, leaps: int
    ) -> Trajectory:
        """Take so many leapfrog steps, whose size each chain has its own of."""


@final
class HostIntegrator(AbstractIntegrator):
    """Leapfrog steps in NumPy, around a program for gradients.

    Nothing is compiled but what a fit has compiled already: quicker for few steps, and for many
    where a gradient takes long.

    Parameters
    ----------
    gradients
        Of the log density.
    coordinates
        In which chains move.
    """

    def __init__(self, gradients: AbstractGradients, coordinates: Coordinates) -> None:
        self._gradients, self._coordinates = gradients, coordinates

    def __call__(
        self, state: ChainState, momentum: Points, steps: Points, leaps: int
    ) -> Trajectory:
        arguments = self._gradients, self._coordinates, state, momentum, steps, leaps
        return leapfrog(*arguments, _in_python)


def leapfrog(
    evaluate: Evaluate,
    coordinates: Coordinates,
    state: ChainState,
    momentum: Any,
    steps: Any,
    leaps: Any,
    repeat: Repeat,
) -> Trajectory:
    """Take leapfrog steps with all chains.

    Parameters
    ----------
    evaluate
        The density.
    coordinates
        In which they move.
    state, momentum
        Where they begin.
    steps
        Size of the steps, of each chain.
    leaps
        How many.
    repeat
        The loop.

    References
    ----------
    Neal (2011), MCMC using Hamiltonian dynamics.
    """
    xp = state.x.__array_namespace__()

    def leap(i: Any, at: tuple[ChainState, Any, Any]) -> tuple[ChainState, Any, Any]:
        moved, momentum, last = at
        x = moved.x + steps * momentum
        z, log_det, pull = _pushed(coordinates, x)
        values, slopes = usable(*evaluate(z))
        values, slopes = values + log_det, pull(slopes)
        last = xp.where(xp.isfinite(values)[:, None], z, last)
        momentum = momentum + xp.where(i < leaps - 1, 1.0, 0.5) * steps * slopes
        return ChainState(x, z, values, slopes), momentum, last

    momentum = momentum + 0.5 * steps * state.slopes
    end, momentum, last = repeat(leaps, leap, (state, momentum, state.z))
    values = end.values - rounded_away(coordinates, end.x, end.z)
    return Trajectory(end._replace(values=values), momentum, last)


def _pushed(coordinates: Coordinates, x: Any) -> tuple[Any, Any, Callable[[Any], Any]]:
    """Push points, and return what pulls gradients back there.

    A program computes what both need once if the one is derived from the other.
    """
    if isinstance(x, np.ndarray):
        return *coordinates.push(x), partial(coordinates.pull, x)
    (z, log_det), pull = jax.vjp(coordinates.push, x)
    return z, log_det, lambda slopes: pull((slopes, jnp.ones_like(log_det)))[0]


def usable(values: Any, slopes: Any) -> tuple[Any, Any]:
    """Return a density and its gradient, with 0 for what has no derivative.

    Moves keep the density whatever the force is that drives them, if it depends on the place
    alone: what is no number for rounding, such as a probability of exactly 1, ends no chain.
    """
    xp = slopes.__array_namespace__()
    return values, xp.where(xp.isfinite(slopes), slopes, 0.0)


def _in_python(count: int, body: Callable[[Any, Any], Any], start: Any) -> Any:
    with np.errstate(all="ignore"):
        for i in range(count):
            start = body(i, start)
    return start
