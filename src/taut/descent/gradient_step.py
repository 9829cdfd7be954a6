"""Stochastic gradient descent on an objective."""

import equinox as eqx
import jax
import numpy as np
from jaxtyping import PRNGKeyArray, PyTree, Scalar

from taut.descent.stepper import AbstractStepper
from taut.family import AbstractFamily
from taut.objective import AbstractObjective
from taut.optimizer import AbstractOptimizer, total_norm_constraint
from taut.target import Target


class DescentState(eqx.Module):
    """The approximation, and what the optimizer remembers."""

    family: AbstractFamily
    optimizer: PyTree


class Descent(AbstractStepper):
    r"""Follow noisy gradients of an objective.

    .. math:: \lambda \leftarrow \lambda + u_t(\nabla_\lambda \ell(\lambda; \epsilon_t, b_t))

    with fresh noise :math:`\epsilon_t` and a batch :math:`b_t` of its own in each step, and
    :math:`u_t` the optimizer's update.

    Parameters
    ----------
    objective
        What is minimised.
    optimizer
        Makes an update of a gradient.
    max_norm
        Bound of the gradient's total norm (PyMC's ``total_grad_norm_constraint``), or `None`.
    """

    objective: AbstractObjective
    optimizer: AbstractOptimizer
    max_norm: np.ndarray | None = None

    def init(self, family: AbstractFamily) -> DescentState:
        trainable = eqx.filter(family, eqx.is_inexact_array)
        return DescentState(family, self.optimizer.init(trainable))

    def step(
        self, state: DescentState, target: Target, batch: PyTree, key: PRNGKeyArray
    ) -> tuple[DescentState, Scalar]:
        # Without the barrier XLA's CPU backend draws the noise again for every row of data.
        family, noise, batch = _barrier(
            state.family, self.objective.noise(state.family, key), batch
        )
        loss, gradient = eqx.filter_value_and_grad(self.objective.loss)(
            family, target, batch, noise
        )
        if self.max_norm is not None:
            gradient = total_norm_constraint(gradient, self.max_norm)
        trainable = eqx.filter(family, eqx.is_inexact_array)
        updates, memory = self.optimizer.update(gradient, state.optimizer, trainable)
        return DescentState(eqx.apply_updates(family, updates), memory), loss

    def moved(self, state: DescentState, family: AbstractFamily) -> DescentState:
        return DescentState(family, state.optimizer)

    def family(self, state: DescentState) -> AbstractFamily:
        return state.family


def _barrier(*trees: PyTree) -> tuple[PyTree, ...]:
    arrays, static = eqx.partition(trees, eqx.is_array)
    leaves, tree = jax.tree.flatten(arrays)
    leaves = jax.lax.optimization_barrier(leaves)
    return eqx.combine(jax.tree.unflatten(tree, leaves), static)
