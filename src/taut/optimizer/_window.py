"""Adagrad over a window of the last steps, which optax does not have."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array
from optax import GradientTransformation

from ._check import count, offset, rate
from ._optimizer import Optimizer, build
from ._types import Index, Number, Params, Rate, Scalar, Schedule, State


class WindowState(NamedTuple):
    """The squared gradients of the last steps.

    The steps are the first axis, so that one step writes one row, which is
    contiguous, and leaves the others alone.
    """

    row: Index
    squares: State


def scale_by_window(n_win: int, epsilon: Number) -> GradientTransformation:
    """Divide by the root of the sum of the last ``n_win`` squared gradients."""

    def init(params: Params) -> WindowState:
        squares = jax.tree.map(lambda p: jnp.zeros((n_win, *p.shape), p.dtype), params)
        return WindowState(jnp.zeros((), jnp.int32), squares)

    def write(squares: Array, grad: Array, row: Array) -> Array:
        return lax.dynamic_update_index_in_dim(squares, (grad**2).astype(squares.dtype), row, 0)

    def update(updates: Params, state: State, params: Params | None = None) -> tuple[Params, State]:
        del params
        squares = jax.tree.map(lambda s, g: write(s, g, state.row), state.squares, updates)
        steps = jax.tree.map(lambda g, s: g / jnp.sqrt(s.sum(0) + epsilon), updates, squares)
        return steps, WindowState((state.row + 1) % n_win, squares)

    return GradientTransformation(init, update)


def adagrad_window_rule(
    learning_rate: Number | Schedule, epsilon: Number, n_win: int
) -> GradientTransformation:
    """Scale by the window, then by the rate."""
    return optax.chain(scale_by_window(n_win, epsilon), optax.scale_by_learning_rate(learning_rate))


def adagrad_window(
    learning_rate: Rate = 0.001, epsilon: Scalar = 0.1, n_win: int = 10
) -> Optimizer:
    """Adagrad that remembers only the last steps; the default of PyMC's ``fit``.

    With the gradient ``g`` and the squared gradients of the last ``n_win`` steps,
    this one included::

        param := param - learning_rate * g / sqrt(sum(squares) + epsilon)

    Parameters
    ----------
    learning_rate
        The size of a step, > 0, or a schedule of optax (step count -> rate).
    epsilon
        Keeps the divisor from 0, inside the root, >= 0.
    n_win
        The number of steps in the window; the state holds that many copies of the
        parameters.

    Raises
    ------
    OptimizerError
        If a hyper-parameter lies outside its range, or ``n_win`` is not an int > 0.

    References
    ----------
    Duchi, J., Hazan, E. and Singer, Y. (2011). Adaptive subgradient methods for online
    learning and stochastic optimization. JMLR 12, 2121-2159. The window is PyMC's own.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from taut.optimizer import adagrad_window
    >>> optimizer = adagrad_window(learning_rate=1.0, epsilon=0.0, n_win=2)
    >>> grads = jnp.array([3.0, -4.0])
    >>> updates, state = optimizer.update(grads, optimizer.init(grads))
    >>> print(updates)
    [-1.  1.]
    """
    return build(
        adagrad_window_rule,
        learning_rate=rate(learning_rate),
        epsilon=offset(epsilon),
        n_win=count("n_win", n_win),
    )
