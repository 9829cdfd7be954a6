"""Descent that finds its step size, averages its iterates, and says when it is done."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree, Scalar

from taut.arrays import AnyArray
from taut.descent.family_distance import distance
from taut.descent.gradient_step import Descent, DescentState
from taut.descent.iterate_window import IterateWindow
from taut.descent.stepper import AbstractStepper
from taut.family import AbstractFamily
from taut.target import Target

# Fixed-rate windows are told stationary below this (the paper's bound).
_R_HAT = 1.1
# Iterates may scatter by so many standard deviations of q before the step size counts as too large.
_SCATTER = 0.5


class AutoStepState(eqx.Module):
    """Where the schedule stands; O(parameters) memory.

    Parameters
    ----------
    descent
        The iterate, and what the optimizer remembers.
    step_size
        That of the window under way.
    half
        Steps in half a window.
    window
        What has been seen at this step size.
    estimate
        The average of the last stationary window; before the first one the iterate.
    estimate_step_size
        The step size of that window.
    moved
        Distance of the last two of these averages.
    averages
        How many there were.
    verdicts
        How many of them were good enough to end.
    """

    descent: DescentState
    step_size: Float[Array, ""]
    half: Int[Array, ""]
    window: IterateWindow
    estimate: AbstractFamily
    estimate_step_size: Float[Array, ""]
    moved: Float[Array, ""]
    averages: Int[Array, ""]
    verdicts: Int[Array, ""]


class AutoStep(AbstractStepper):
    r"""Averaged descent at falling step sizes, until halving them changes nothing.

    Iterates at a fixed step size :math:`\gamma` become stationary around a point whose distance
    to the optimum is of the order of :math:`\gamma`; their average has little noise. So if the
    averages at :math:`\gamma` and :math:`\gamma / 2` agree, the second is about as far from the
    optimum as they are apart. A window of steps ends in one of four ways:

    - Its two halves have split R-hat < 1.1, or averages closer than the tolerance: the average is
      the new estimate and where the next window begins, at half the step size. Windows grow while
      averages are too noisy.
    - The iterates scatter widely around averages that agree, and the loss no longer falls: the
      step size is halved, without an estimate.
    - Else the next window is twice as long.
    - The average is less than the tolerance off by its noise, and less than twice the tolerance
      away from the one before: a verdict that the fit can end.

    Distances are in units of q's standard deviations (`taut.descent.family_distance`). The steps
    are those of `descent` times the step size; an element of a matrix takes a part of it, one by
    the number of columns, because the elements of a row move a draw together. Without that a dense
    factor diverges in thirty dimensions already. Beyond `descent`, memory is five times the
    parameters.

    The paper predicts by a regression over past step sizes whether another halving is worth its
    steps. The rule here needs no fit to a handful of noisy distances.

    Parameters
    ----------
    descent
        Its optimizer has learning rate 1, and should be one whose mean step vanishes with the mean
        gradient, as ADOPT's does: averages settle where steps cancel.
    step_size
        The first one.
    half
        Steps in half of the first window.
    tolerance
        Noise of the result, in standard deviations of q.

    References
    ----------
    Welandawe, Andersen, Vehtari, Huggins (2022), Robust, Automated, and Accurate Black-box
    Variational Inference, arXiv 2203.15945.
    Taniguchi et al. (2024), ADOPT: Modified Adam Can Converge with Any beta2 with the Optimal Rate,
    NeurIPS.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model():
    ...     mu = pm.Normal("mu", 50.0, 2.0)
    ...     approx = taut.fit(method="advi", step_size="auto", random_seed=1,
    ...                       progressbar=False)
    >>> print(f"{float(approx.family.mean()[0]):.0f}, {approx.stopped[:9]}")
    50, converged
    """

    descent: Descent
    step_size: Float[AnyArray, ""] = eqx.field(default_factory=lambda: np.asarray(0.1))
    half: Int[AnyArray, ""] = eqx.field(default_factory=lambda: np.asarray(100, np.int32))
    tolerance: Float[AnyArray, ""] = eqx.field(default_factory=lambda: np.asarray(0.05))

    def init(self, family: AbstractFamily) -> AutoStepState:
        family = jax.tree.map(jnp.asarray, family)
        window = IterateWindow.empty(_parameters(family))
        dtype = window.now.loss.mean.dtype
        step_size, far = jnp.asarray(self.step_size, dtype), jnp.asarray(jnp.inf, dtype)
        none = jnp.zeros((), jnp.int32)
        return AutoStepState(
            self.descent.init(family), step_size, jnp.asarray(self.half, jnp.int32), window,
            family, step_size, far, none, none,
        )  # fmt: skip

    def step(
        self, state: AutoStepState, target: Target, batch: PyTree, key: PRNGKeyArray
    ) -> tuple[AutoStepState, Scalar]:
        ahead, loss = self.descent.step(state.descent, target, batch, key)
        family = _part_of_the_way(state.descent.family, ahead.family, state.step_size)
        parameters = _parameters(family)
        state = replace(
            state,
            descent=DescentState(family, ahead.optimizer),
            window=state.window.add(parameters, loss),
            estimate=_choose(state.averages == 0, family, state.estimate),
        )
        full = state.window.now.loss.count >= state.half
        state = jax.lax.cond(full, lambda s: self._after_half(s), lambda s: s, state)
        # The loop looks at the estimate alone, and skips a step whose loss is not a number.
        return state, jnp.where(_all_finite(parameters), loss, jnp.nan)

    def moved(self, state: AutoStepState, family: AbstractFamily) -> AutoStepState:
        none, far = jnp.zeros_like(state.averages), jnp.full_like(state.moved, jnp.inf)
        return replace(_begin(state, family), estimate=family, averages=none, moved=far)

    def family(self, state: AutoStepState) -> AbstractFamily:
        return state.estimate

    def _after_half(self, state: AutoStepState) -> AutoStepState:
        first = state.window.before.loss.count == 0
        turn = replace(state, window=state.window.turn())
        return jax.lax.cond(first, lambda _: turn, lambda s: self._after_window(s), state)

    def _after_window(self, state: AutoStepState) -> AutoStepState:
        window = state.window
        first, second = window.means()
        average, iterate = window.average(), _parameters(state.descent.family)
        # One program for the three of them: compiled apart they take three times as long.
        apart, scatter, moved = self._distances(
            state.estimate, (first, second), (second, iterate), (average, state.estimate)
        )
        noise = apart / 2
        quiet = noise < self._tolerance(noise)
        # Averages that agree only because the iterates drift slowly do not count: they scatter
        # no wider than they drift.
        wild = ~(scatter < jnp.maximum(_SCATTER, 4 * noise)) & ~window.is_descending()
        stationary = (window.r_hat() < _R_HAT) | quiet
        return jax.lax.switch(
            jnp.where(stationary, 2, wild.astype(jnp.int32)),
            [_longer, _calmer, lambda s: self._take_average(s, quiet, moved)],
            state,
        )

    def _take_average(
        self, state: AutoStepState, quiet: Bool[Array, ""], moved: Scalar
    ) -> AutoStepState:
        average = eqx.combine(state.window.average(), state.estimate)
        moved = jnp.where(state.averages > 0, moved, jnp.inf)
        done = quiet & (moved < 2 * self._tolerance(moved))
        return replace(
            _begin(state, average),
            step_size=state.step_size / 2,
            half=jnp.where(quiet, state.half, 2 * state.half),
            estimate=average,
            estimate_step_size=state.step_size,
            moved=moved,
            averages=state.averages + 1,
            verdicts=state.verdicts + done.astype(jnp.int32),
        )

    def _distances(
        self, like: AbstractFamily, *pairs: tuple[PyTree, PyTree]
    ) -> Float[Array, " pairs"]:
        def one(pair: tuple[PyTree, PyTree]) -> Scalar:
            first, second = (eqx.combine(part, like) for part in pair)
            return distance(first, second)

        pairs_ = [tuple(_parameters(part) for part in pair) for pair in pairs]
        return jax.lax.map(one, jax.tree.map(lambda *leaves: jnp.stack(leaves), *pairs_))

    def _tolerance(self, like: Scalar) -> Scalar:
        return jnp.asarray(self.tolerance, like.dtype)


def _longer(state: AutoStepState) -> AutoStepState:
    """Still on its way, or slow to mix."""
    return replace(_begin(state, state.descent.family), half=2 * state.half)


def _calmer(state: AutoStepState) -> AutoStepState:
    """At this step size it comes no further."""
    better = eqx.combine(state.window.better(), state.estimate)
    return replace(_begin(state, better), step_size=state.step_size / 2)


def _begin(state: AutoStepState, family: AbstractFamily) -> AutoStepState:
    """Begin a window at a member of the family."""
    window = IterateWindow.empty(_parameters(family))
    return replace(state, descent=DescentState(family, state.descent.optimizer), window=window)


def _part_of_the_way(here: PyTree, ahead: PyTree, step_size: Scalar) -> PyTree:
    def go(old: Array, new: Array) -> Array:
        if not eqx.is_inexact_array(old):
            return new
        together = old.shape[-1] if old.ndim > 1 else 1
        return old + (step_size / together).astype(old.dtype) * (new - old)

    return jax.tree.map(go, here, ahead)


def _parameters(family: AbstractFamily) -> PyTree:
    return eqx.filter(family, eqx.is_inexact_array)


def _choose(which: Bool[Array, ""], first: PyTree, second: PyTree) -> PyTree:
    return jax.tree.map(lambda a, b: jnp.where(which, a, b), first, second)


def _all_finite(parameters: PyTree) -> Bool[Array, ""]:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(p)) for p in jax.tree.leaves(parameters)]))
