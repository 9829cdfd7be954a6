"""One transition of Hamiltonian chains, for arrays of NumPy and for those that JAX traces."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from taut.chains.coordinates import Coordinates

# Leapfrog steps of a transition, at most.
_MOST_LEAPS = 64
# Error of the energy from which on a trajectory counts as divergent, as in Stan and PyMC.
_DIVERGENT = 1000.0

# The log density and its gradient at points of z, 0 for what has no derivative.
Evaluate = Callable[[Any], tuple[Any, Any]]


class Repeat(Protocol):
    """A loop: in Python, or one that JAX compiles."""

    def __call__(self, count: Any, body: Callable[[Any, Any], Any], start: Any) -> Any:
        """Return what is left of `start` after ``body(i, ...)`` for each i below `count`."""
        ...


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


class Noise(NamedTuple):
    """The random numbers of a transition.

    Parameters
    ----------
    momentum
        Standard normal, a row for each chain.
    stretch
        By which the step size of each chain is multiplied.
    uniform
        In [0, 1): a proposal is accepted where it is below the probability.
    """

    momentum: Any
    stretch: Any
    uniform: Any


class End(NamedTuple):
    """How the trajectories of a transition ended.

    Parameters
    ----------
    probability
        Of acceptance, of each chain.
    diverged
        Whether the error of the energy has no bounds.
    outside
        Whether the density is zero there.
    last
        Where they were last that the density was finite.
    """

    probability: Any
    diverged: Any
    outside: Any
    last: Any


def transition(
    state: ChainState,
    noise: Noise,
    step: Any,
    leaps: Any,
    evaluate: Evaluate,
    coordinates: Coordinates,
    repeat: Repeat,
) -> tuple[ChainState, End]:
    """Move all chains once, by so many leapfrog steps and a Metropolis test.

    Parameters
    ----------
    state
        Where they are.
    noise
        What decides where they go.
    step, leaps
        Step size in the coordinates, and number of steps.
    evaluate
        The density.
    coordinates
        In which they move.
    repeat
        The loop over the steps.

    References
    ----------
    Neal (2011), MCMC using Hamiltonian dynamics.
    """
    xp = state.x.__array_namespace__()
    steps = step * noise.stretch[:, None]
    before = 0.5 * (noise.momentum**2).sum(axis=1) - state.values

    def leap(i: Any, at: tuple[ChainState, Any, Any]) -> tuple[ChainState, Any, Any]:
        moved, momentum, last = at
        x = moved.x + steps * momentum
        z, log_det = coordinates.push(x)
        values, slopes = evaluate(z)
        values, slopes = values + log_det, coordinates.pull(x, slopes)
        last = xp.where(xp.isfinite(values)[:, None], z, last)
        momentum = momentum + xp.where(i < leaps - 1, 1.0, 0.5) * steps * slopes
        return ChainState(x, z, values, slopes), momentum, last

    momentum = noise.momentum + 0.5 * steps * state.slopes
    moved, momentum, last = repeat(leaps, leap, (state, momentum, state.z))
    error = 0.5 * (momentum**2).sum(axis=1) - moved.values - before
    error = xp.where(xp.isfinite(error), error, xp.inf)
    probability = xp.exp(-xp.maximum(error, 0.0))
    taken = noise.uniform < probability
    state = ChainState(*(_where(xp, taken, *pair) for pair in zip(moved, state, strict=True)))
    return state, End(probability, error > _DIVERGENT, xp.isneginf(moved.values), last)


def acceptance(end: End) -> Any:
    """Return the mean probability, without those that leave the support if they are few.

    No step size keeps these in.
    """
    xp = end.probability.__array_namespace__()
    inside = xp.where(end.outside, 0.0, 1.0)
    of_these = (inside * end.probability).sum() / xp.maximum(inside.sum(), 1.0)
    return xp.where(2 * inside.sum() > len(inside), of_these, end.probability.mean())


def leaps_of(travel: Any, step: Any, xp: Any) -> Any:
    """Return how many steps of a size a transition takes that goes so far."""
    return xp.clip(xp.ceil(travel / step), 1, _MOST_LEAPS)


def usable(values: Any, slopes: Any) -> tuple[Any, Any]:
    """Return a density and its gradient, with 0 for what has no derivative.

    Moves keep the density whatever the force is that drives them, if it depends on the place
    alone: what is no number for rounding, such as a probability of exactly 1, ends no chain.
    """
    xp = slopes.__array_namespace__()
    return values, xp.where(xp.isfinite(slopes), slopes, 0.0)


def _where(xp: Any, taken: Any, new: Any, old: Any) -> Any:
    return xp.where(taken[:, None] if new.ndim > 1 else taken, new, old)
