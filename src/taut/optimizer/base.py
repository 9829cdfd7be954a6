"""What an optimizer is, optax's protocol on a pytree, and the types that optimizers speak of."""

import abc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float, Int, PyTree
from optax import GradientTransformationExtraArgs

# One hyper-parameter as it is stored: a leaf of the optimizer's pytree.
Leaf = Float[Array | np.ndarray[Any, Any], ""]
# The same inside of a rule.
Number = Float[Array, ""]
# One hyper-parameter as it may be given.
Scalar = float | int | np.number[Any] | Array | np.ndarray[Any, Any]
# An optax schedule: the number of steps done so far -> the rate of the next one.
Schedule = Callable[[Any], Any]
Rate = Scalar | Schedule

Tensor = Float[Array | np.ndarray[Any, Any], "..."]
Index = Int[Array, ""]

# Parameters, gradients and steps share one structure; a state has the rule's own.
# jaxtyping hides its PyTree from type checkers, which then know nothing; Any says so.
if TYPE_CHECKING:
    Params = State = Tree = Any
else:
    Params, State, Tree = PyTree[Tensor], PyTree[Array], PyTree


class AbstractOptimizer(eqx.Module):
    """What turns gradients into steps: optax's protocol, on a pytree.

    An optimizer goes into a compiled function as an argument; what of it are
    leaves may change from call to call without compiling anew.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import optax
    >>> from taut.optimizer import sgd
    >>> optimizer, params = sgd(learning_rate=0.5), jnp.array([1.0, 2.0])
    >>> state = optimizer.init(params)
    >>> updates, state = optimizer.update(jnp.array([2.0, 0.0]), state, params)
    >>> print(optax.apply_updates(params, updates))
    [0. 2.]
    """

    @abc.abstractmethod
    def init(self, params: Params) -> State:
        """Make the state before the first step.

        Parameters
        ----------
        params
            The parameters, of which only structure, shapes and dtypes matter.
        """

    @abc.abstractmethod
    def update(
        self, updates: Params, state: State, params: Params | None = None, **extra: Any
    ) -> tuple[Params, State]:
        """Turn gradients into what is to be added to the parameters.

        Parameters
        ----------
        updates
            The gradients of what is minimized (optax's name for them).
        state
            The state of the step before.
        params
            The parameters. The steps have their dtypes, or the gradients' without them.
        **extra
            Further arguments that some rules of optax want, such as ``value``; others ignore them.

        Returns
        -------
        tuple
            The steps, and the state for the next time, of the types of ``state``.
        """

    @property
    def optax(self) -> GradientTransformationExtraArgs:
        """The same as a plain transformation of optax, for example for ``optax.chain``."""
        return GradientTransformationExtraArgs(self.init, self.update)
