"""A transformation of optax as an optimizer."""

from typing import Any, final

import equinox as eqx
from optax import GradientTransformationExtraArgs, with_extra_args_support

from taut.engine import Same

from ._base import AbstractOptimizer
from ._dtype import strong, strong_like
from ._types import Params, State


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
        """Make the state before the first step.

        Parameters
        ----------
        params
            The parameters.
        """
        return strong(self._supported().init(params))

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
            What the transformation wants besides; ignored by one that wants nothing.

        Returns
        -------
        tuple
            The steps, and the state for the next time, of the types of ``state``.
        """
        like = updates if params is None else params
        steps, after = self._supported().update(updates, state, params, **extra)
        return strong_like(steps, like), strong_like(after, state)

    def _supported(self) -> GradientTransformationExtraArgs:
        return with_extra_args_support(self.transformation.thing)
