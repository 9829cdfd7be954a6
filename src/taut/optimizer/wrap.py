"""Momentum on the steps of any optimizer."""

from typing import Any

from taut.optimizer.accepts import as_optimizer
from taut.optimizer.base import Scalar
from taut.optimizer.check import fraction
from taut.optimizer.descent import apply_momentum_rule, apply_nesterov_momentum_rule
from taut.optimizer.optimizer import Optimizer, build


def apply_momentum(optimizer: Any, momentum: Scalar = 0.9) -> Optimizer:
    """Add momentum to the steps of an optimizer.

    With the ``step`` that the optimizer would add and a velocity that starts at 0::

        velocity := momentum * velocity + step
        param := param + velocity

    PyMC's function of this name wraps a dictionary of updates; this one wraps what
    makes the updates.

    Parameters
    ----------
    optimizer
        Anything that `as_optimizer` accepts.
    momentum
        How much of the velocity stays at each step, in [0, 1).

    Raises
    ------
    OptimizerError
        If ``optimizer`` is none, or ``momentum`` lies outside [0, 1).

    References
    ----------
    Polyak, B. T. (1964). Some methods of speeding up the convergence of iteration
    methods. USSR Computational Mathematics and Mathematical Physics 4(5), 1-17.

    Examples
    --------
    >>> from taut.optimizer import apply_momentum, rmsprop
    >>> apply_momentum(rmsprop(learning_rate=0.01))
    apply_momentum(rmsprop(learning_rate=0.01, rho=0.9, epsilon=1e-06), momentum=0.9)
    """
    inner = as_optimizer(optimizer, argument="optimizer")
    return build(apply_momentum_rule, inner, momentum=fraction("momentum", momentum))


def apply_nesterov_momentum(optimizer: Any, momentum: Scalar = 0.9) -> Optimizer:
    """Add Nesterov's momentum to the steps of an optimizer.

    With the ``step`` that the optimizer would add and a velocity that starts at 0::

        velocity := momentum * velocity + step
        param := param + momentum * velocity + step

    PyMC's function of this name wraps a dictionary of updates; this one wraps what
    makes the updates.

    Parameters
    ----------
    optimizer
        Anything that `as_optimizer` accepts.
    momentum
        How much of the velocity stays at each step, in [0, 1).

    Raises
    ------
    OptimizerError
        If ``optimizer`` is none, or ``momentum`` lies outside [0, 1).

    References
    ----------
    Sutskever, I., Martens, J., Dahl, G. and Hinton, G. (2013). On the importance of
    initialization and momentum in deep learning. ICML 28, 1139-1147.

    Examples
    --------
    >>> from taut.optimizer import apply_nesterov_momentum, sgd
    >>> apply_nesterov_momentum(sgd(learning_rate=0.01), momentum=0.5)
    apply_nesterov_momentum(sgd(learning_rate=0.01), momentum=0.5)
    """
    inner = as_optimizer(optimizer, argument="optimizer")
    return build(apply_nesterov_momentum_rule, inner, momentum=fraction("momentum", momentum))
