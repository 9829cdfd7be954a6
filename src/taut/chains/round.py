"""Rounds of Hamiltonian chains as one program, in coordinates that each round learns for the next.

What `taut.chains.hmc` does around Python for one posterior, this does on the device for one of many
that are mapped over: nothing here is a choice that Python makes.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray, Scalar

from taut.chains.control_variates import sums_of
from taut.chains.coordinates import Composed, Coordinates, Linear
from taut.chains.leapfrog import ChainState, leapfrog, usable
from taut.chains.non_centering import Conditioned, relearnt
from taut.gaussian import DenseNormal
from taut.target import Target

# As in `taut.chains.hmc`: how far a transition goes, what should be accepted, between which shares
# of theirs steps vary, and the error of the energy that diverges.
_TRAVEL, _ACCEPTED, _SHORTEST, _LONGEST = 1.6, 0.9, 0.4, 1.2
_DIVERGENT = 1000.0
# How fast step sizes follow what is accepted.
RATE = 0.15
# The step size of the first transition, for each dimension to the power of a quarter.
FIRST_STEP = 0.9
# What is added to the diagonal of a correlation, which few draws tell badly.
_RIDGE = 1e-6


class Place(NamedTuple):
    """What decides coordinates: a Gaussian of what is left once conditional elements are known.

    Parameters
    ----------
    precision, weighted_mean
        As in `taut.chains.non_centering.Conditioned`.
    mean, root
        Of the Gaussian; the root is lower triangular.

    All are arrays of JAX in programs, and of NumPy outside.
    """

    precision: Any
    weighted_mean: Any
    mean: Any
    root: Any


class Round(NamedTuple):
    """What chains did in a round.

    Parameters
    ----------
    draws
        Where they were, in the unconstrained space: transitions, chains, elements.
    accepted
        Mean acceptance probability of each chain.
    diverged, left
        Which transitions diverged, and which left the support: transitions, chains.
    sums, each
        What `taut.chains.control_variates.Tally` adds up.
    log_step
        Of the step size at the end.
    learnt
        Coordinates for another round, if any were.
    """

    draws: Any
    accepted: Any
    diverged: Any
    left: Any
    sums: Any
    each: Any
    log_step: Any
    learnt: Place | None


def leaps_of(dim: int) -> int:
    """Return how many leapfrog steps a transition takes, each of which evaluates a gradient."""
    return math.ceil(_TRAVEL / (FIRST_STEP * dim**-0.25))


def first_place(target: Target, mean: Any, root: Any) -> Place:
    """Return coordinates of which nothing is known but a Gaussian, in the non-centred form."""
    nothing = jnp.zeros(target.dim, target.dtype)
    return Place(nothing, nothing, mean, root)


def conditioned_at(target: Target, place: Place) -> Conditioned | None:
    """Return the map of elements that are normal given others; `None` where there are none."""
    if target.conditionals is None:
        return None
    return Conditioned(target, place.precision, place.weighted_mean)


def coordinates_of(target: Target, place: Place) -> Coordinates:
    """Return the map from nearly standard coordinates."""
    xp = place.root.__array_namespace__()
    log_det = xp.log(xp.diagonal(place.root)).sum()
    linear = Linear(DenseNormal(place.mean, place.root), log_det)
    conditioned = conditioned_at(target, place)
    return linear if conditioned is None else Composed((conditioned, linear))


def whitened(target: Target, place: Place, z: Any) -> Any:
    """Find the coordinates of points, inside a program."""
    conditioned = conditioned_at(target, place)
    away = (z if conditioned is None else conditioned.whiten(z)) - place.mean
    return jax.scipy.linalg.solve_triangular(place.root, away.T, lower=True).T


def a_round(
    target: Target,
    place: Place,
    z: Any,
    log_step: Scalar,
    rate: Scalar,
    key: PRNGKeyArray,
    transitions: int,
) -> Round:
    """Let chains move; coordinates for the next round are learnt from where they were.

    Parameters
    ----------
    target
        The density.
    place
        The coordinates.
    z
        Where the chains begin.
    log_step
        Logarithm of the step size, which follows what is accepted.
    rate
        How fast it does; 0 for steps that stay as they are.
    key
        Decides the moves.
    transitions
        How many.
    """
    coordinates, x = coordinates_of(target, place), whitened(target, place, z)
    made, states = _moves(target, coordinates, x, log_step, rate, key, transitions)
    return made._replace(learnt=_learnt(target, place, states))


def a_round_in(
    target: Target,
    coordinates: Coordinates,
    x: Any,
    log_step: Scalar,
    rate: Scalar,
    key: PRNGKeyArray,
    transitions: int,
) -> Round:
    """Let chains move in coordinates of any kind; none are learnt.

    Parameters
    ----------
    target, log_step, rate, key, transitions
        As in `a_round`.
    coordinates
        The coordinates.
    x
        Where the chains begin, in these.
    """
    return _moves(target, coordinates, x, log_step, rate, key, transitions)[0]


def _moves(
    target: Target,
    coordinates: Coordinates,
    x: Any,
    log_step: Scalar,
    rate: Scalar,
    key: PRNGKeyArray,
    transitions: int,
) -> tuple[Round, ChainState]:
    evaluate = jax.vmap(jax.value_and_grad(target.log_density))
    leaps = leaps_of(target.dim)

    def move(carry: tuple[ChainState, Scalar], key: PRNGKeyArray) -> Any:
        state, log_step = carry
        of_steps, of_momentum, of_choice = jax.random.split(key, 3)
        count, dtype = len(state.x), state.x.dtype
        vary = jax.random.uniform(of_steps, (count, 1), dtype, _SHORTEST, _LONGEST)
        momentum = jax.random.normal(of_momentum, state.x.shape, dtype)
        made = leapfrog(
            evaluate, coordinates, state, momentum, jnp.exp(log_step) * vary, leaps, _repeat
        )
        error = _energy(made.state, made.momentum) - _energy(state, momentum)
        error = jnp.where(jnp.isfinite(error), error, jnp.inf)
        probability = jnp.exp(-jnp.maximum(error, 0.0))
        outside = jnp.isneginf(made.state.values)
        taken = jax.random.uniform(of_choice, (count,), dtype) < probability
        new = jax.tree.map(
            lambda a, b: jnp.where(taken.reshape(-1, *[1] * (a.ndim - 1)), a, b), made.state, state
        )
        log_step = log_step + rate * (_acceptance(probability, outside) - _ACCEPTED)
        diverged = (error > _DIVERGENT) & ~outside
        return (new, log_step), (new, probability, diverged, outside)

    begin = _state_at(evaluate, coordinates, x)
    keys = jax.random.split(key, transitions)
    (_, log_step), made = jax.lax.scan(move, (begin, log_step), keys)
    states, probability, diverged, left = made
    of_each = jax.vmap(sums_of)(states.x, states.slopes)
    sums, each = jax.tree.map(lambda one: one.sum(axis=0), of_each)
    accepted = probability.mean(axis=0)
    return Round(states.z, accepted, diverged, left, sums, each, log_step, None), states


def _state_at(evaluate: Any, coordinates: Coordinates, x: Any) -> ChainState:
    (z, log_det), pull = jax.vjp(coordinates.push, x)
    values, slopes = usable(*evaluate(z))
    return ChainState(x, z, values + log_det, pull((slopes, jnp.ones_like(log_det)))[0])


def _learnt(target: Target, place: Place, states: ChainState) -> Place:
    """Learn coordinates from the second half of a round, in which chains have come nearer."""
    half = jax.tree.map(lambda one: one[len(one) // 2 :], states)
    u: Any
    z, slopes = (one.reshape(-1, target.dim) for one in (half.z, half.slopes))
    conditioned = conditioned_at(target, place)
    if conditioned is None:
        precision, weighted_mean, u = place.precision, place.weighted_mean, z
    else:
        # Gradients in x are those between the two maps, by the transposed root.
        between: Any = jax.scipy.linalg.solve_triangular(
            place.root, slopes.T, lower=True, trans=1
        ).T
        new = relearnt(conditioned, z, between)
        _, precision, weighted_mean, _ = new.tree_flatten()[0]
        u = new.whiten(z)
    mean, std = u.mean(axis=0), jnp.maximum(u.std(axis=0), 1e-12)
    scaled = (u - mean) / std
    correlation = scaled.T @ scaled / len(u) + _RIDGE * jnp.eye(target.dim, dtype=u.dtype)
    return Place(precision, weighted_mean, mean, std[:, None] * jnp.linalg.cholesky(correlation))


def _acceptance(probability: Float[Array, " chains"], outside: Bool[Array, " chains"]) -> Scalar:
    """Mean probability; of those that stay in the support, unless these are few."""
    inside = ~outside
    count = inside.sum()
    among = jnp.where(inside, probability, 0.0).sum() / jnp.maximum(count, 1)
    return jnp.where(2 * count > len(outside), among, probability.mean())


def _energy(state: ChainState, momentum: Any) -> Float[Array, " chains"]:
    return 0.5 * (momentum**2).sum(axis=1) - state.values


def _repeat(count: Any, body: Any, start: Any) -> Any:
    return jax.lax.fori_loop(0, count, body, start)
