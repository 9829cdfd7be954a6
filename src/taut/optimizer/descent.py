"""Gradient descent, plain and with momentum."""

import optax
from optax import GradientTransformation

from taut.optimizer.base import Number, Rate, Scalar, Schedule
from taut.optimizer.check import fraction, rate
from taut.optimizer.optimizer import Optimizer, build


def sgd_rule(learning_rate: Number | Schedule) -> GradientTransformation:
    """Step against the gradient."""
    return optax.scale_by_learning_rate(learning_rate)


def apply_momentum_rule(inner: GradientTransformation, momentum: Number) -> GradientTransformation:
    """Add up the steps of another rule, the older the less."""
    return optax.chain(inner, optax.trace(momentum))


def apply_nesterov_momentum_rule(
    inner: GradientTransformation, momentum: Number
) -> GradientTransformation:
    """Add up the steps of another rule, one step ahead."""
    return optax.chain(inner, optax.trace(momentum, nesterov=True))


def sgd(learning_rate: Rate = 1e-3) -> Optimizer:
    """Stochastic gradient descent.

    With the gradient ``g``::

        param := param - learning_rate * g

    Parameters
    ----------
    learning_rate
        The size of a step, > 0, or a schedule of optax (step count -> rate).

    Raises
    ------
    OptimizerError
        If the learning rate is not a finite number > 0.

    References
    ----------
    Robbins, H. and Monro, S. (1951). A stochastic approximation method. Annals of
    Mathematical Statistics 22(3), 400-407.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from taut.optimizer import sgd
    >>> optimizer, grads = sgd(learning_rate=0.5), jnp.array([1.0, -4.0])
    >>> updates, state = optimizer.update(grads, optimizer.init(grads))
    >>> print(updates)
    [-0.5  2. ]
    """
    return build(sgd_rule, learning_rate=rate(learning_rate))


def momentum(learning_rate: Rate = 1e-3, momentum: Scalar = 0.9) -> Optimizer:
    """Stochastic gradient descent with momentum.

    With the gradient ``g`` and a velocity that starts at 0::

        velocity := momentum * velocity - learning_rate * g
        param := param + velocity

    Parameters
    ----------
    learning_rate
        The size of a step, > 0, or a schedule of optax (step count -> rate). Steps
        add up to ``1 / (1 - momentum)`` times it.
    momentum
        How much of the velocity stays at each step, in [0, 1).

    Raises
    ------
    OptimizerError
        If a hyper-parameter lies outside its range.

    References
    ----------
    Polyak, B. T. (1964). Some methods of speeding up the convergence of iteration
    methods. USSR Computational Mathematics and Mathematical Physics 4(5), 1-17.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from taut.optimizer import momentum
    >>> optimizer, grads = momentum(learning_rate=0.5, momentum=0.5), jnp.array([4.0])
    >>> first, state = optimizer.update(grads, optimizer.init(grads))
    >>> second, state = optimizer.update(grads, state)
    >>> print(first, second)
    [-2.] [-3.]
    """
    return build(apply_momentum_rule, sgd(learning_rate), momentum=fraction("momentum", momentum))


def nesterov_momentum(learning_rate: Rate = 1e-3, momentum: Scalar = 0.9) -> Optimizer:
    """Stochastic gradient descent with Nesterov's momentum.

    With the gradient ``g`` and a velocity that starts at 0::

        velocity := momentum * velocity - learning_rate * g
        param := param + momentum * velocity - learning_rate * g

    This is the form that takes its gradient at the current parameters, not at the
    predicted next ones.

    Parameters
    ----------
    learning_rate
        The size of a step, > 0, or a schedule of optax (step count -> rate). Steps
        add up to ``1 / (1 - momentum)`` times it.
    momentum
        How much of the velocity stays at each step, in [0, 1).

    Raises
    ------
    OptimizerError
        If a hyper-parameter lies outside its range.

    References
    ----------
    Nesterov, Y. (1983). A method for solving the convex programming problem with
    convergence rate O(1/k^2). Doklady AN SSSR 269, 543-547.

    Sutskever, I., Martens, J., Dahl, G. and Hinton, G. (2013). On the importance of
    initialization and momentum in deep learning. ICML 28, 1139-1147.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from taut.optimizer import nesterov_momentum
    >>> optimizer, grads = nesterov_momentum(0.5, momentum=0.5), jnp.array([4.0])
    >>> updates, state = optimizer.update(grads, optimizer.init(grads))
    >>> print(updates)
    [-3.]
    """
    return build(
        apply_nesterov_momentum_rule,
        sgd(learning_rate),
        momentum=fraction("momentum", momentum),
    )
