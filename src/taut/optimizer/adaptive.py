"""Rules that divide by the root of past squared gradients: all, the last, or a moving mean."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array
from optax import GradientTransformation

from taut.optimizer.base import Index, Number, Params, Rate, Scalar, Schedule, State
from taut.optimizer.check import count, fraction, offset, rate
from taut.optimizer.optimizer import Optimizer, build


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


def adagrad_rule(learning_rate: Number | Schedule, epsilon: Number) -> GradientTransformation:
    """Scale by the root of the sum of squares; unlike optax's alias it starts at 0."""
    return optax.chain(
        optax.scale_by_rss(initial_accumulator_value=0.0, eps=epsilon),
        optax.scale_by_learning_rate(learning_rate),
    )


def adagrad_window_rule(
    learning_rate: Number | Schedule, epsilon: Number, n_win: int
) -> GradientTransformation:
    """Scale by the window, then by the rate."""
    return optax.chain(scale_by_window(n_win, epsilon), optax.scale_by_learning_rate(learning_rate))


def rmsprop_rule(
    learning_rate: Number | Schedule, rho: Number, epsilon: Number
) -> GradientTransformation:
    """Scale by the root of the mean of squares, epsilon inside the root."""
    return optax.chain(
        optax.scale_by_rms(decay=rho, eps=epsilon, eps_in_sqrt=True),
        optax.scale_by_learning_rate(learning_rate),
    )


def adadelta_rule(
    learning_rate: Number | Schedule, rho: Number, epsilon: Number
) -> GradientTransformation:
    """Scale by the ratio of past steps to past gradients, both before the rate."""
    return optax.chain(
        optax.scale_by_adadelta(rho=rho, eps=epsilon),
        optax.scale_by_learning_rate(learning_rate),
    )


def adagrad(learning_rate: Rate = 1.0, epsilon: Scalar = 1e-6) -> Optimizer:
    """Adagrad: the rate of a coordinate falls with the gradients it has seen.

    With the gradient ``g`` and a sum that starts at 0::

        sum := sum + g**2
        param := param - learning_rate * g / sqrt(sum + epsilon)

    Parameters
    ----------
    learning_rate
        The size of the first step, > 0, or a schedule of optax (step count -> rate).
    epsilon
        Keeps the divisor from 0, inside the root, >= 0.

    Raises
    ------
    OptimizerError
        If a hyper-parameter lies outside its range.

    References
    ----------
    Duchi, J., Hazan, E. and Singer, Y. (2011). Adaptive subgradient methods for online
    learning and stochastic optimization. JMLR 12, 2121-2159.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from taut.optimizer import adagrad
    >>> optimizer, grads = adagrad(learning_rate=0.5, epsilon=0.0), jnp.array([4.0, 0.0])
    >>> updates, state = optimizer.update(grads, optimizer.init(grads))
    >>> print(abs(updates))
    [0.5 0. ]
    """
    return build(adagrad_rule, learning_rate=rate(learning_rate), epsilon=offset(epsilon))


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


def rmsprop(learning_rate: Rate = 1.0, rho: Scalar = 0.9, epsilon: Scalar = 1e-6) -> Optimizer:
    """RMSProp: divide by a moving root mean square of the gradients.

    With the gradient ``g`` and a mean that starts at 0::

        mean := rho * mean + (1 - rho) * g**2
        param := param - learning_rate * g / sqrt(mean + epsilon)

    Parameters
    ----------
    learning_rate
        The size of a step, > 0, or a schedule of optax (step count -> rate).
    rho
        How much of the mean stays at each step, in [0, 1).
    epsilon
        Keeps the divisor from 0, inside the root, >= 0.

    Raises
    ------
    OptimizerError
        If a hyper-parameter lies outside its range.

    References
    ----------
    Tieleman, T. and Hinton, G. (2012). Lecture 6.5 - rmsprop. Coursera: Neural Networks
    for Machine Learning.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from taut.optimizer import rmsprop
    >>> optimizer, grads = rmsprop(rho=0.75, epsilon=0.0), jnp.array([3.0])
    >>> updates, state = optimizer.update(grads, optimizer.init(grads))
    >>> print(updates)
    [-2.]
    """
    return build(
        rmsprop_rule,
        learning_rate=rate(learning_rate),
        rho=fraction("rho", rho),
        epsilon=offset(epsilon),
    )


def adadelta(learning_rate: Rate = 1.0, rho: Scalar = 0.95, epsilon: Scalar = 1e-6) -> Optimizer:
    """Adadelta: scale by the ratio of past steps to past gradients.

    With the gradient ``g`` and means that start at 0::

        mean := rho * mean + (1 - rho) * g**2
        step := g * sqrt(delta + epsilon) / sqrt(mean + epsilon)
        delta := rho * delta + (1 - rho) * step**2
        param := param - learning_rate * step

    Parameters
    ----------
    learning_rate
        A factor on the steps, > 0, or a schedule of optax (step count -> rate). The
        paper has none, which is 1.
    rho
        How much of the means stays at each step, in [0, 1).
    epsilon
        Gives the very first step its size, >= 0.

    Raises
    ------
    OptimizerError
        If a hyper-parameter lies outside its range.

    References
    ----------
    Zeiler, M. D. (2012). ADADELTA: an adaptive learning rate method. arXiv:1212.5701.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from taut.optimizer import adadelta
    >>> optimizer, grads = adadelta(rho=0.75, epsilon=1.0), jnp.array([0.0, 1e3])
    >>> updates, state = optimizer.update(grads, optimizer.init(grads))
    >>> print(abs(updates.round(2)))
    [0. 2.]
    """
    return build(
        adadelta_rule,
        learning_rate=rate(learning_rate),
        rho=fraction("rho", rho),
        epsilon=offset(epsilon),
    )
