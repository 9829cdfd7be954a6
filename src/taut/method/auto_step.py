"""Descent that chooses its own step size, and averages its iterates."""

from dataclasses import replace
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree, Scalar

from taut.family import AbstractFamily
from taut.method.base import AbstractMethod
from taut.method.descent import Descent, DescentState
from taut.method.distance import distance
from taut.method.moments import Moments, split_r_hat
from taut.target import Target


class Seen(eqx.Module):
    """What half a window has seen."""

    parameters: Moments
    loss: Moments

    @classmethod
    def none(cls, like: PyTree) -> "Seen":
        """Begin without steps."""
        zero = jnp.zeros((), jnp.result_type(*jax.tree.leaves(like)))
        return cls(Moments.none(like), Moments.none(zero))

    def add(self, parameters: PyTree, loss: Scalar) -> "Seen":
        """Take up a step."""
        loss = loss.astype(self.loss.mean.dtype)
        return Seen(self.parameters.add(parameters), self.loss.add(loss))


class AutoStepState(eqx.Module):
    """Where the schedule stands; O(parameters) memory, whatever the window.

    Parameters
    ----------
    descent
        The iterate, and what the optimizer remembers.
    rate
        The step size.
    half
        Steps in half a window.
    before, now
        Moments of the window's first half, and of the one under way.
    estimate
        The average of the last window that was stationary; before the first one the iterate.
    noise, moved
        Its error by noise, and how far it is from the one before.
    epochs, verdicts
        Step sizes that are done with, and how many times it could have ended.
    """

    descent: DescentState
    rate: Float[Array, ""]
    half: Int[Array, ""]
    before: Seen
    now: Seen
    estimate: AbstractFamily
    noise: Float[Array, ""]
    moved: Float[Array, ""]
    epochs: Int[Array, ""]
    verdicts: Int[Array, ""]


class AutoStep(AbstractMethod):
    descent: Descent
    first: np.ndarray = eqx.field(default_factory=lambda: np.asarray(0.1))
    tolerance: np.ndarray = eqx.field(default_factory=lambda: np.asarray(0.05))
    shortest: np.ndarray = eqx.field(default_factory=lambda: np.asarray(100, np.int32))
    factor: np.ndarray = eqx.field(default_factory=lambda: np.asarray(0.5))
    grow: np.ndarray = eqx.field(default_factory=lambda: np.asarray(2, np.int32))
    wild: np.ndarray = eqx.field(default_factory=lambda: np.asarray(0.5))
    r_hat: np.ndarray = eqx.field(default_factory=lambda: np.asarray(1.1))

    def init(self, family: AbstractFamily) -> AutoStepState:
        family = jax.tree.map(jnp.asarray, family)
        none = Seen.none(_parameters(family))
        dtype = none.loss.mean.dtype
        far, zero = jnp.asarray(jnp.inf, dtype), jnp.zeros((), jnp.int32)
        return AutoStepState(
            self.descent.init(family), jnp.asarray(self.first, dtype),
            jnp.asarray(self.shortest, jnp.int32), none, none, family, far, far, zero, zero,
        )  # fmt: skip

    def step(
        self, state: AutoStepState, target: Target, batch: PyTree, key: PRNGKeyArray
    ) -> tuple[AutoStepState, Scalar]:
        ahead, loss = self.descent.step(state.descent, target, batch, key)
        family = _part_of_the_way(state.descent.family, ahead.family, state.rate)
        parameters = _parameters(family)
        state = eqx.tree_at(
            lambda s: (s.descent, s.now),
            state,
            (DescentState(family, ahead.optimizer), state.now.add(parameters, loss)),
        )
        first = eqx.tree_at(lambda s: s.estimate, state, family)
        state = jax.tree.map(partial(jnp.where, state.epochs == 0), first, state)
        state = jax.lax.cond(state.now.loss.count >= state.half, lambda s: self._after_half(s), lambda s: s, state)
        return state, jnp.where(_finite(parameters), loss, jnp.nan)

    def family(self, state: AutoStepState) -> AbstractFamily:
        return state.estimate

    def _after_half(self, state: AutoStepState) -> AutoStepState:
        return jax.lax.cond(
            state.before.loss.count == 0, _next_half, lambda s: self._judge(s), state
        )

    def _judge(self, state: AutoStepState) -> AutoStepState:
        first, second = (_with(state.estimate, half.parameters.mean) for half in _halves(state))
        noise = distance(first, second) / 2
        r_hat = split_r_hat(state.before.parameters, state.now.parameters)
        settled = (r_hat < self.r_hat) | (noise < self.tolerance)
        spread = distance(second, state.descent.family)
        wild = ~_falling(state) & ~(spread < self.wild)
        jax.debug.print("rate {} half {} noise {} rhat {} spread {} falling {} loss {}", state.rate, state.half, noise, r_hat, spread, _falling(state), state.now.loss.mean)
        return jax.lax.switch(
            jnp.where(settled, 2, wild.astype(jnp.int32)),
            [
                lambda s, *_: self._longer(s),
                lambda s, _, spread: self._calmer(s, spread),
                lambda s, noise, spread: self._next_epoch(s, noise, spread),
            ],
            state, noise, spread,
        )  # fmt: skip

    def _longer(self, state: AutoStepState) -> AutoStepState:
        """Neither stationary nor wild: look at more steps."""
        return _begin_window(state, half=self.grow * state.half)

    def _calmer(self, state: AutoStepState, spread: Scalar) -> AutoStepState:
        """The step is too large to come any further: go on from the better half, with less."""
        better = state.now.loss.mean < state.before.loss.mean
        halves = [half.parameters.mean for half in _halves(state)]
        mean = jax.tree.map(lambda a, b: jnp.where(better, b, a), *halves)
        descent = DescentState(_with(state.estimate, mean), state.descent.optimizer)
        return _begin_window(state, descent=descent, rate=self._smaller(state.rate, spread))

    def _next_epoch(self, state: AutoStepState, noise: Scalar, spread: Scalar) -> AutoStepState:
        halves = [half.parameters.mean for half in _halves(state)]
        average = _with(state.estimate, jax.tree.map(lambda a, b: (a + b) / 2, *halves))
        moved = jnp.where(state.epochs > 0, distance(average, state.estimate), jnp.inf)
        accurate = noise < self.tolerance
        done = (moved < 2 * self.tolerance) & accurate
        jax.debug.print("   moved {}", moved)
        return _begin_window(
            state,
            descent=DescentState(average, state.descent.optimizer),
            estimate=average,
            rate=self._smaller(state.rate, spread),
            half=jnp.where(accurate | ~(spread < self.wild), state.half, self.grow * state.half),
            noise=noise,
            moved=moved,
            epochs=state.epochs + 1,
            verdicts=state.verdicts + done,
        )

    def _smaller(self, rate: Scalar, spread: Scalar) -> Scalar:
        """Halve it, or go down to a tenth where the spread, of the order of its root, is large."""
        return rate * jnp.asarray(self.factor, rate.dtype)


def _halves(state: AutoStepState) -> tuple[Seen, Seen]:
    return state.before, state.now


def _falling(state: AutoStepState) -> Array:
    """Tell whether the mean loss fell from half to half, by two standard errors."""
    first, second = (half.loss for half in _halves(state))
    count = first.count.astype(first.mean.dtype)
    error = jnp.sqrt((first.squares + second.squares) / (count - 1) / count)
    return first.mean - second.mean > 2 * error


def _next_half(state: AutoStepState) -> AutoStepState:
    return replace(state, before=state.now, now=Seen.none(state.now.parameters.mean))


def _begin_window(state: AutoStepState, **changes: Any) -> AutoStepState:
    none = Seen.none(state.now.parameters.mean)
    return replace(state, before=none, now=none, **changes)


def _parameters(family: AbstractFamily) -> PyTree:
    return eqx.filter(family, eqx.is_inexact_array)


def _with(family: AbstractFamily, parameters: PyTree) -> AbstractFamily:
    return eqx.combine(parameters, family)


def _part_of_the_way(here: PyTree, ahead: PyTree, rate: Scalar) -> PyTree:
    """Go `rate` times the step; elements of a matrix act on a draw together, and go less far."""

    def go(old: Array, new: Array) -> Array:
        if not eqx.is_inexact_array(old):
            return new
        together = old.shape[-1] if old.ndim > 1 else 1
        return old + (rate / together).astype(old.dtype) * (new - old)

    return jax.tree.map(go, here, ahead)


def _finite(parameters: PyTree) -> Array:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(p)) for p in jax.tree.leaves(parameters)]))
