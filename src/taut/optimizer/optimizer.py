"""Optimizers: a rule with its hyper-parameters as leaves, or a transformation of optax, whole."""

from collections.abc import Callable
from inspect import signature
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from optax import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    with_extra_args_support,
)

from taut.engine import Same
from taut.optimizer.base import AbstractOptimizer, Leaf, Params, State
from taut.optimizer.dtypes import strong, strong_like, working_dtype

Rule = Callable[..., GradientTransformation]


@final
class Optimizer(AbstractOptimizer):
    """A rule of optax whose hyper-parameters are leaves.

    Two optimizers of one rule with different numbers share one compiled program.
    What decides the program is static: the rule, a window's length, a schedule
    (by identity: make a schedule once and reuse it).

    Parameters
    ----------
    rule
        A function of a module that makes the transformation of optax, called with
        the transformations of ``wrapped`` and then all the rest by name.
    numbers
        The hyper-parameters that are numbers.
    options
        The hyper-parameters that are static.
    wrapped
        The optimizers whose steps the rule takes up.
    """

    rule: Rule = eqx.field(static=True)
    numbers: dict[str, Leaf]
    options: tuple[tuple[str, Any], ...] = eqx.field(static=True, default=())
    wrapped: tuple[AbstractOptimizer, ...] = ()

    def init(self, params: Params) -> State:
        return strong(self._transformation(params).init(params))

    def update(
        self, updates: Params, state: State, params: Params | None = None, **extra: Any
    ) -> tuple[Params, State]:
        like = updates if params is None else params
        steps, after = self._transformation(like).update(updates, state, params)
        return strong_like(steps, like), strong_like(after, state)

    def _transformation(self, params: Params) -> GradientTransformation:
        dtype = working_dtype(params)
        numbers = {name: jnp.asarray(value, dtype) for name, value in self.numbers.items()}
        return self.rule(
            *(inner.optax for inner in self.wrapped), **numbers, **unwrap(self.options)
        )

    def __repr__(self) -> str:
        given = {**self.numbers, **dict(self.options)}
        names = [name for name in signature(self.rule).parameters if name in given]
        parts = [repr(inner) for inner in self.wrapped] + [f"{n}={given[n]}" for n in names]
        return f"{self.rule.__name__.removesuffix('_rule')}({', '.join(parts)})"


@final
class OptaxOptimizer(AbstractOptimizer):
    """Any transformation of optax, taken whole.

    Its hyper-parameters are hidden in its functions, so all of it is static: the
    same object shares its compiled programs, an equal one made anew does not.

    Parameters
    ----------
    transformation
        What has optax's ``init`` and ``update``, held by identity.

    Examples
    --------
    >>> import optax
    >>> from taut.optimizer import as_optimizer
    >>> as_optimizer(optax.lion(1e-3))
    OptaxOptimizer(transformation=GradientTransformationExtraArgs)
    """

    transformation: Same = eqx.field(static=True)

    def init(self, params: Params) -> State:
        return strong(self._supported().init(params))

    def update(
        self, updates: Params, state: State, params: Params | None = None, **extra: Any
    ) -> tuple[Params, State]:
        like = updates if params is None else params
        steps, after = self._supported().update(updates, state, params, **extra)
        return strong_like(steps, like), strong_like(after, state)

    def _supported(self) -> GradientTransformationExtraArgs:
        return with_extra_args_support(self.transformation.thing)


def unwrap(options: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    """Take the schedules among the options out of their wrappers."""
    return {n: v.thing if isinstance(v, Same) else v for n, v in options}


def build(rule: Rule, *wrapped: AbstractOptimizer, **given: Leaf | Same | int) -> Optimizer:
    """Make an optimizer: arrays become leaves, everything else is static.

    Parameters
    ----------
    rule
        The function that makes the transformation.
    *wrapped
        The optimizers whose steps the rule takes up.
    **given
        The checked hyper-parameters by name.

    Examples
    --------
    >>> from taut.optimizer import adagrad_window
    >>> optimizer = adagrad_window(n_win=5)
    >>> optimizer
    adagrad_window(learning_rate=0.001, epsilon=0.1, n_win=5)
    >>> optimizer.options
    (('n_win', 5),)
    """
    numbers = {n: v for n, v in given.items() if isinstance(v, np.ndarray | jax.Array)}
    options = tuple((n, v) for n, v in given.items() if n not in numbers)
    return Optimizer(rule, numbers, options, wrapped)
