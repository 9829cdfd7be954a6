"""The rules of optimizers as updates of PyTensor's shared variables, one parameter at a time."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Variable

from taut.errors import OptimizerError

# What shared variables become; PyTensor's functions take it as `updates`.
Updates = dict[Any, Any]
# From a parameter and its gradient to the updates of it and of what is remembered.
Rule = Callable[..., Updates]


def updates_or_rest(
    public: Callable[..., Any], rule: Rule, loss_or_grads: Any, params: Any, **numbers: Any
) -> Any:
    """Return the updates of parameters, or without these the function that waits for them.

    Parameters
    ----------
    public
        What was called.
    rule
        What it does with one parameter.
    loss_or_grads
        A scalar, or a gradient for each parameter.
    params
        Shared variables.
    **numbers
        The hyper-parameters, which may be symbolic.

    Raises
    ------
    OptimizerError
        One of both is missing, or they are not what they have to be.
    """
    if loss_or_grads is None and params is None:
        return partial(public, **numbers)
    if loss_or_grads is None or params is None:
        name = public.__name__
        raise OptimizerError(
            f"{name} needs both loss_or_grads and params to write updates, or neither of them: "
            f"{name}(loss, [shared]), or {name}(learning_rate=0.01) for later."
        )
    params = list(params)
    updates: Updates = {}
    for param, grad in zip(params, _gradients(loss_or_grads, params), strict=True):
        updates |= rule(param, grad, **numbers)
    return updates


def _gradients(loss_or_grads: Any, params: list[Any]) -> list[Any]:
    other = [param for param in params if not isinstance(param, SharedVariable)]
    if other:
        raise OptimizerError(f"params must be shared variables, which alone change; got {other}.")
    if not isinstance(loss_or_grads, list | tuple):
        gradients: Any = pytensor.grad(loss_or_grads, params)
        return list(gradients)
    if len(loss_or_grads) != len(params):
        raise OptimizerError(f"There are {len(loss_or_grads)} gradients of {len(params)} params.")
    return list(loss_or_grads)


def zeros_for(param: Any, *more: int) -> Any:
    """Make a shared variable of zeros as a parameter is shaped, with further axes behind."""
    value = param.get_value(borrow=True)
    shape = (*param.type.shape, *more)
    return pytensor.shared(np.zeros((*value.shape, *more), value.dtype), shape=shape)


def number_for(param: Any) -> Any:
    """Make a shared zero of a parameter's type."""
    return pytensor.shared(np.zeros((), param.dtype))


def like(param: Any, updated: Any) -> Any:
    """Return an update in the parameter's own type; numbers of 64 bits widen smaller ones."""
    return updated if updated.dtype == param.dtype else updated.astype(param.dtype)


def set_to(*pairs: tuple[Any, Any]) -> Updates:
    """Write updates of shared variables, each in the type of its own."""
    return {shared: like(shared, pt.as_tensor(updated)) for shared, updated in pairs}


def sgd_rule(param: Any, grad: Any, learning_rate: Any) -> Updates:
    """Step against the gradient."""
    return set_to((param, param - learning_rate * grad))


def with_momentum(param: Any, updated: Any, momentum: Any) -> Updates:
    """Add up steps, the older the less."""
    velocity = zeros_for(param)
    later = momentum * velocity + updated - param
    return set_to((velocity, later), (param, param + later))


def with_nesterov_momentum(param: Any, updated: Any, momentum: Any) -> Updates:
    """Add up steps, one step ahead."""
    velocity = zeros_for(param)
    later = momentum * velocity + updated - param
    return set_to((velocity, later), (param, momentum * later + updated))


def momentum_rule(param: Any, grad: Any, learning_rate: Any, momentum: Any) -> Updates:
    """Step against the gradient, with momentum."""
    return with_momentum(param, param - learning_rate * grad, momentum)


def nesterov_momentum_rule(param: Any, grad: Any, learning_rate: Any, momentum: Any) -> Updates:
    """Step against the gradient, with Nesterov's momentum."""
    return with_nesterov_momentum(param, param - learning_rate * grad, momentum)


def adagrad_rule(param: Any, grad: Any, learning_rate: Any, epsilon: Any) -> Updates:
    """Divide by the root of all past squares."""
    total = zeros_for(param)
    later = total + grad**2
    step = learning_rate * grad / pt.sqrt(later + epsilon)
    return set_to((total, later), (param, param - step))


def adagrad_window_rule(
    param: Any, grad: Any, learning_rate: Any, epsilon: Any, n_win: int
) -> Updates:
    """Divide by the root of the last squares."""
    squares: Any = zeros_for(param, n_win)
    place: Any = pytensor.shared(np.zeros((), np.int64))
    later = pt.set_subtensor(squares[..., place], like(squares, grad**2))
    step = learning_rate * grad / pt.sqrt(later.sum(axis=-1) + epsilon)
    return set_to((squares, later), (place, (place + 1) % n_win), (param, param - step))


def rmsprop_rule(param: Any, grad: Any, learning_rate: Any, rho: Any, epsilon: Any) -> Updates:
    """Divide by the root of a moving mean of squares."""
    mean = zeros_for(param)
    later = rho * mean + (1 - rho) * grad**2
    step = learning_rate * grad / pt.sqrt(later + epsilon)
    return set_to((mean, later), (param, param - step))


def adadelta_rule(param: Any, grad: Any, learning_rate: Any, rho: Any, epsilon: Any) -> Updates:
    """Scale by the ratio of past steps to past gradients."""
    mean, delta = zeros_for(param), zeros_for(param)
    later = rho * mean + (1 - rho) * grad**2
    step = grad * pt.sqrt(delta + epsilon) / pt.sqrt(later + epsilon)
    steps = rho * delta + (1 - rho) * step**2
    return set_to((mean, later), (delta, steps), (param, param - learning_rate * step))


def adam_rule(
    param: Any, grad: Any, learning_rate: Any, beta1: Any, beta2: Any, epsilon: Any
) -> Updates:
    """Divide the mean of gradients by the root of the mean of squares."""
    count, first, second = number_for(param), zeros_for(param), zeros_for(param)
    t = count + 1
    mean, square = beta1 * first + (1 - beta1) * grad, beta2 * second + (1 - beta2) * grad**2
    rate = learning_rate * pt.sqrt(1 - beta2**t) / (1 - beta1**t)
    step = rate * mean / (pt.sqrt(square) + epsilon)
    return set_to((count, t), (first, mean), (second, square), (param, param - step))


def adamax_rule(
    param: Any, grad: Any, learning_rate: Any, beta1: Any, beta2: Any, epsilon: Any
) -> Updates:
    """Divide the mean of gradients by a decaying maximum."""
    count, first, norm = number_for(param), zeros_for(param), zeros_for(param)
    t = count + 1
    mean, largest = beta1 * first + (1 - beta1) * grad, pt.maximum(beta2 * norm, abs(grad))
    step = learning_rate / (1 - beta1**t) * mean / (largest + epsilon)
    return set_to((count, t), (first, mean), (norm, largest), (param, param - step))


def is_symbolic(things: Any) -> bool:
    """Say whether a thing, or the first of several, is PyTensor's."""
    if isinstance(things, list | tuple):
        return bool(things) and is_symbolic(things[0])
    return isinstance(things, Variable)
