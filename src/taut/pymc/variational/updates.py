"""Optimizers in PyMC's form, for `fit` and for functions of PyTensor.

With `loss_or_grads` and `params` each writes the updates of shared variables; without them it waits
for them, and is an optimizer that `fit` takes. The rules are those of `taut`'s optimizers.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytensor.tensor as pt

import taut
from taut.optimizer import default_axes
from taut.pymc.variational.rules import (
    Rule,
    Updates,
    adadelta_rule,
    adagrad_rule,
    adagrad_window_rule,
    adam_rule,
    adamax_rule,
    is_symbolic,
    like,
    momentum_rule,
    nesterov_momentum_rule,
    rmsprop_rule,
    sgd_rule,
    updates_or_rest,
    with_momentum,
    with_nesterov_momentum,
)

__all__ = [
    "adadelta",
    "adagrad",
    "adagrad_window",
    "adam",
    "adamax",
    "apply_momentum",
    "apply_nesterov_momentum",
    "momentum",
    "nesterov_momentum",
    "norm_constraint",
    "rmsprop",
    "sgd",
    "total_norm_constraint",
]


def sgd(loss_or_grads: Any = None, params: Any = None, learning_rate: Any = 1e-3) -> Any:
    """Stochastic gradient descent.

    Parameters
    ----------
    loss_or_grads
        A scalar of PyTensor, or the gradient of each parameter.
    params
        Shared variables.
    learning_rate
        As of `taut.sgd`; may be symbolic.
    """
    return updates_or_rest(sgd, sgd_rule, loss_or_grads, params, learning_rate=learning_rate)


def momentum(
    loss_or_grads: Any = None, params: Any = None, learning_rate: Any = 1e-3, momentum: Any = 0.9
) -> Any:
    """Gradient descent with momentum.

    Parameters
    ----------
    loss_or_grads
        A scalar of PyTensor, or the gradient of each parameter.
    params
        Shared variables.
    learning_rate, momentum
        As of `taut.momentum`; may be symbolic.
    """
    return updates_or_rest(
        globals()["momentum"],  # an argument has its name
        momentum_rule,
        loss_or_grads,
        params,
        learning_rate=learning_rate,
        momentum=momentum,
    )


def nesterov_momentum(
    loss_or_grads: Any = None, params: Any = None, learning_rate: Any = 1e-3, momentum: Any = 0.9
) -> Any:
    """Gradient descent with Nesterov's momentum.

    Parameters
    ----------
    loss_or_grads
        A scalar of PyTensor, or the gradient of each parameter.
    params
        Shared variables.
    learning_rate, momentum
        As of `taut.nesterov_momentum`; may be symbolic.
    """
    return updates_or_rest(
        nesterov_momentum,
        nesterov_momentum_rule,
        loss_or_grads,
        params,
        learning_rate=learning_rate,
        momentum=momentum,
    )


def adagrad(
    loss_or_grads: Any = None, params: Any = None, learning_rate: Any = 1.0, epsilon: Any = 1e-6
) -> Any:
    """Adagrad.

    Parameters
    ----------
    loss_or_grads
        A scalar of PyTensor, or the gradient of each parameter.
    params
        Shared variables.
    learning_rate, epsilon
        As of `taut.adagrad`; may be symbolic.
    """
    return updates_or_rest(
        adagrad, adagrad_rule, loss_or_grads, params, learning_rate=learning_rate, epsilon=epsilon
    )


def adagrad_window(
    loss_or_grads: Any = None,
    params: Any = None,
    learning_rate: Any = 0.001,
    epsilon: Any = 0.1,
    n_win: int = 10,
) -> Any:
    """Adagrad that remembers only the last `n_win` steps; PyMC's default.

    Parameters
    ----------
    loss_or_grads
        A scalar of PyTensor, or the gradient of each parameter.
    params
        Shared variables.
    learning_rate, epsilon, n_win
        As of `taut.adagrad_window`; may be symbolic.
    """
    return updates_or_rest(
        adagrad_window,
        adagrad_window_rule,
        loss_or_grads,
        params,
        learning_rate=learning_rate,
        epsilon=epsilon,
        n_win=n_win,
    )


def rmsprop(
    loss_or_grads: Any = None,
    params: Any = None,
    learning_rate: Any = 1.0,
    rho: Any = 0.9,
    epsilon: Any = 1e-6,
) -> Any:
    """RMSProp.

    Parameters
    ----------
    loss_or_grads
        A scalar of PyTensor, or the gradient of each parameter.
    params
        Shared variables.
    learning_rate, rho, epsilon
        As of `taut.rmsprop`; may be symbolic.
    """
    return updates_or_rest(
        rmsprop,
        rmsprop_rule,
        loss_or_grads,
        params,
        learning_rate=learning_rate,
        rho=rho,
        epsilon=epsilon,
    )


def adadelta(
    loss_or_grads: Any = None,
    params: Any = None,
    learning_rate: Any = 1.0,
    rho: Any = 0.95,
    epsilon: Any = 1e-6,
) -> Any:
    """Adadelta.

    Parameters
    ----------
    loss_or_grads
        A scalar of PyTensor, or the gradient of each parameter.
    params
        Shared variables.
    learning_rate, rho, epsilon
        As of `taut.adadelta`; may be symbolic.
    """
    return updates_or_rest(
        adadelta,
        adadelta_rule,
        loss_or_grads,
        params,
        learning_rate=learning_rate,
        rho=rho,
        epsilon=epsilon,
    )


def adam(
    loss_or_grads: Any = None,
    params: Any = None,
    learning_rate: Any = 0.001,
    beta1: Any = 0.9,
    beta2: Any = 0.999,
    epsilon: Any = 1e-8,
) -> Any:
    """Adam.

    Parameters
    ----------
    loss_or_grads
        A scalar of PyTensor, or the gradient of each parameter.
    params
        Shared variables.
    learning_rate, beta1, beta2, epsilon
        As of `taut.adam`; may be symbolic.
    """
    return updates_or_rest(
        adam,
        adam_rule,
        loss_or_grads,
        params,
        learning_rate=learning_rate,
        beta1=beta1,
        beta2=beta2,
        epsilon=epsilon,
    )


def adamax(
    loss_or_grads: Any = None,
    params: Any = None,
    learning_rate: Any = 0.002,
    beta1: Any = 0.9,
    beta2: Any = 0.999,
    epsilon: Any = 1e-8,
) -> Any:
    """Adamax.

    Parameters
    ----------
    loss_or_grads
        A scalar of PyTensor, or the gradient of each parameter.
    params
        Shared variables.
    learning_rate, beta1, beta2, epsilon
        As of `taut.adamax`; may be symbolic.
    """
    return updates_or_rest(
        adamax,
        adamax_rule,
        loss_or_grads,
        params,
        learning_rate=learning_rate,
        beta1=beta1,
        beta2=beta2,
        epsilon=epsilon,
    )


def apply_momentum(updates: Any, params: Iterable[Any] | None = None, momentum: Any = 0.9) -> Any:
    """Add momentum to updates, or to an optimizer.

    Parameters
    ----------
    updates
        A mapping of shared variables to what they become; or what `taut.apply_momentum` takes.
    params
        The shared variables that get it, by default all.
    momentum
        How much of the velocity stays at each step; may be symbolic.
    """
    if not isinstance(updates, Mapping):
        return taut.apply_momentum(updates, momentum)
    return _around(with_momentum, updates, params, momentum)


def apply_nesterov_momentum(
    updates: Any, params: Iterable[Any] | None = None, momentum: Any = 0.9
) -> Any:
    """Add Nesterov's momentum to updates, or to an optimizer; arguments as of `apply_momentum`."""
    if not isinstance(updates, Mapping):
        return taut.apply_nesterov_momentum(updates, momentum)
    return _around(with_nesterov_momentum, updates, params, momentum)


def _around(
    rule: Rule, updates: Mapping[Any, Any], params: Iterable[Any] | None, momentum: Any
) -> Updates:
    changed = dict(updates)
    for param in list(updates if params is None else params):
        changed |= rule(param, updates[param], momentum)
    return changed


def norm_constraint(
    tensor_var: Any, max_norm: Any, norm_axes: Sequence[int] | None = None, epsilon: Any = 1e-7
) -> Any:
    """Rescale vectors of an array whose norm is too large; of PyTensor, or as `taut`'s."""
    if not is_symbolic(tensor_var):
        return taut.norm_constraint(tensor_var, max_norm, norm_axes, epsilon)
    axes = default_axes(tensor_var.ndim) if norm_axes is None else tuple(norm_axes)
    norms = pt.sqrt(pt.sum(pt.sqr(tensor_var), axis=axes, keepdims=True))
    return like(tensor_var, tensor_var * _shrink(norms, max_norm, epsilon))


def total_norm_constraint(
    tensor_vars: Any, max_norm: Any, epsilon: Any = 1e-7, return_norm: bool = False
) -> Any:
    """Rescale arrays whose norm taken together is too large; of PyTensor, or as `taut`'s."""
    if not is_symbolic(tensor_vars):
        return taut.total_norm_constraint(tensor_vars, max_norm, epsilon, return_norm)
    squares: list[Any] = [pt.sum(pt.sqr(one)) for one in tensor_vars]
    norm = pt.sqrt(sum(squares))
    scaled = [like(one, one * _shrink(norm, max_norm, epsilon)) for one in tensor_vars]
    return (scaled, norm) if return_norm else scaled


def _shrink(norm: Any, max_norm: Any, epsilon: Any) -> Any:
    return pt.minimum(norm, max_norm) / (norm + epsilon)
