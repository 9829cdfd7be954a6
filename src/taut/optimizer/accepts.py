"""Whatever can be meant by an optimizer, as one."""

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any

from taut.engine import Same
from taut.errors import OptimizerError
from taut.optimizer.adaptive import adadelta, adagrad, adagrad_window, rmsprop
from taut.optimizer.base import AbstractOptimizer
from taut.optimizer.check import describe, is_number
from taut.optimizer.descent import momentum, nesterov_momentum, sgd
from taut.optimizer.moments import adam, adamax
from taut.optimizer.optimizer import OptaxOptimizer, Optimizer

Factory = Callable[..., Optimizer]

OURS: tuple[Factory, ...] = (
    adadelta,
    adagrad,
    adagrad_window,
    adam,
    adamax,
    momentum,
    nesterov_momentum,
    rmsprop,
    sgd,
)
BY_NAME = {factory.__name__: factory for factory in OURS}
# PyMC's own, and those of the same names that write updates for PyTensor.
PYMC = ("pymc.variational.updates", "taut.pymc.variational.updates")


def as_optimizer(obj: Any = None, *, argument: str = "obj_optimizer") -> AbstractOptimizer:
    """Take whatever can be meant by an optimizer.

    ``None`` is ``adagrad_window()``, which is PyMC's default.

    Parameters
    ----------
    obj
        An optimizer; one of the functions of this module, called or not; anything
        with optax's ``init`` and ``update``; an optimizer of PyMC's, called or not;
        or ``None``.
    argument
        The name of the argument for the error message.

    Raises
    ------
    OptimizerError
        If it is none of these, or PyMC's with a symbolic hyper-parameter.

    Examples
    --------
    >>> import pymc
    >>> from taut.optimizer import adam, as_optimizer
    >>> as_optimizer()
    adagrad_window(learning_rate=0.001, epsilon=0.1, n_win=10)
    >>> as_optimizer(adam)
    adam(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08)
    >>> as_optimizer(pymc.adam(learning_rate=1e-2))
    adam(learning_rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-08)
    """
    if obj is None:
        return adagrad_window()
    if isinstance(obj, AbstractOptimizer):
        return obj
    if is_transformation(obj):
        return OptaxOptimizer(Same(obj))
    return from_function(obj, argument)


def is_transformation(obj: Any) -> bool:
    """Say whether an object has optax's protocol."""
    methods = (getattr(obj, name, None) for name in ("init", "update"))
    return not isinstance(obj, type) and all(callable(method) for method in methods)


def from_function(obj: Any, argument: str) -> Optimizer:
    """Call our function that a function, or a partial of one, stands for."""
    function = obj.func if isinstance(obj, partial) else obj
    factory = factory_of(function)
    if factory is None:
        raise refuse(obj, argument)
    if not isinstance(obj, partial):
        return factory()
    check_partial(obj, factory, numbers_only=factory is not function)
    return factory(*obj.args, **obj.keywords)


def factory_of(function: Any) -> Factory | None:
    """Find our function that is this one, or that stands for this one of PyMC's.

    PyMC's are known by name, not by identity, so that PyMC need not be imported.
    """
    if any(function is factory for factory in OURS):
        return function
    if getattr(function, "__module__", None) not in PYMC:
        return None
    return BY_NAME.get(getattr(function, "__name__", ""))


def check_partial(given: partial[Any], factory: Factory, *, numbers_only: bool) -> None:
    """Check the arguments a partial holds against our function's.

    PyMC's first arguments are the loss and the parameters, so positional ones are
    never hyper-parameters there, and its keywords may hold symbolic variables.
    """
    name = factory.__name__
    known = list(signature(factory).parameters)
    unknown = [key for key in given.keywords if key not in known]
    if unknown or (numbers_only and given.args):
        surplus = ", ".join(unknown) or "positional arguments"
        raise OptimizerError(
            f"{name} takes {', '.join(known)}, got {surplus}. Write for example taut.{name}()."
        )
    for key, value in given.keywords.items() if numbers_only else ():
        if not is_number(value) and not (key == "learning_rate" and callable(value)):
            raise OptimizerError(
                f"pymc.{name} came with {key} = {describe(value)}, where a number was expected."
                f" Write taut.{name}({key}=...) with a number or, for a rate that changes, a"
                " schedule of optax."
            )


def refuse(obj: Any, argument: str) -> OptimizerError:
    """Make the error for what is no optimizer."""
    return OptimizerError(
        f"{argument} must be an optimizer, got {describe(obj)}. {advise(obj, argument)},"
        " or pass any optax.GradientTransformation."
    )


def advise(obj: Any, argument: str) -> str:
    """Say what was probably meant."""
    if isinstance(obj, str) and obj in BY_NAME:
        return f"Write {argument}=taut.{obj}()"
    if callable(obj):
        return f"If it makes an optimizer, call it; write for example {argument}=taut.adam()"
    rate = obj if isinstance(obj, float) and 0 < obj < 1 else 0.01
    return f"Write for example {argument}=taut.adam(learning_rate={rate})"
