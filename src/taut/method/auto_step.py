"""Descent that chooses its own step size, and averages its iterates."""

from functools import partial

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
    before: Moments
    now: Moments
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
    r_hat: np.ndarray = eqx.field(default_factory=lambda: np.asarray(1.1))

    def init(self, family: AbstractFamily) -> AutoStepState:
        family = jax.tree.map(jnp.asarray, family)
        none = Moments.none(_parameters(family))
        dtype = jnp.result_type(*jax.tree.leaves(none.mean))
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
            (DescentState(family, ahead.optimizer), state.now.add(parameters)),
        )
        first = eqx.tree_at(lambda s: s.estimate, state, family)
        state = jax.tree.map(partial(jnp.where, state.epochs == 0), first, state)
        state = jax.lax.cond(state.now.count >= state.half, lambda s: self._after_half(s), lambda s: s, state)
        return state, jnp.where(_finite(parameters), loss, jnp.nan)

    def family(self, state: AutoStepState) -> AbstractFamily:
        return state.estimate

    def _after_half(self, state: AutoStepState) -> AutoStepState:
        return jax.lax.cond(state.before.count == 0, _next_half, lambda s: self._judge(s), state)

    def _judge(self, state: AutoStepState) -> AutoStepState:
        first, second = (_with(state.estimate, m.mean) for m in (state.before, state.now))
        noise = distance(first, second) / 2
        stationary = (split_r_hat(state.before, state.now) < self.r_hat) | (noise < self.tolerance)
        return jax.lax.cond(stationary, lambda *a: self._next_epoch(*a), lambda *a: self._longer(*a), state, noise)

    def _longer(self, state: AutoStepState, noise: Scalar) -> AutoStepState:
        return _begin_window(eqx.tree_at(lambda s: s.half, state, self.grow * state.half))

    def _next_epoch(self, state: AutoStepState, noise: Scalar) -> AutoStepState:
        mean = jax.tree.map(lambda a, b: (a + b) / 2, state.before.mean, state.now.mean)
        average = _with(state.estimate, mean)
        moved = jnp.where(state.epochs > 0, distance(average, state.estimate), jnp.inf)
        done = (moved < 2 * self.tolerance) & (noise < self.tolerance)
        rate = state.rate * jnp.asarray(self.factor, state.rate.dtype)
        half = jnp.where(noise < self.tolerance, state.half, self.grow * state.half)
        jax.debug.print("rate {} half {} noise {} moved {} done {}", state.rate, state.half, noise, moved, done)
        after = AutoStepState(
            DescentState(average, state.descent.optimizer), rate, half, state.before, state.now,
            average, noise, moved, state.epochs + 1, state.verdicts + done,
        )  # fmt: skip
        return _begin_window(after)


def _next_half(state: AutoStepState) -> AutoStepState:
    none = Moments.none(state.now.mean)
    return eqx.tree_at(lambda s: (s.before, s.now), state, (state.now, none))


def _begin_window(state: AutoStepState) -> AutoStepState:
    none = Moments.none(state.now.mean)
    return eqx.tree_at(lambda s: (s.before, s.now), state, (none, none))


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
        return old + (rate / np.sqrt(together)).astype(old.dtype) * (new - old)

    return jax.tree.map(go, here, ahead)


def _finite(parameters: PyTree) -> Array:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(p)) for p in jax.tree.leaves(parameters)]))
