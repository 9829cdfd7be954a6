"""The way back from the unconstrained space, for those transforms that need numbers alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from taut.target import Space, Variable


@final
@dataclass(frozen=True)
class Inverse:
    """Variables in their own space, ``(z, data, batch) -> {name: array}``, without a model.

    Parameters
    ----------
    variables
        Of the model. Those whose transform is not known here are left out.
    """

    variables: tuple[Variable, ...]

    def __call__(self, z: Float[Array, " dim"], data: PyTree, batch: PyTree) -> dict[str, Array]:
        space = Space.of({v.unconstrained: v.shape for v in self.variables})
        values = space.unravel(jnp.asarray(z))
        return {
            variable.name: _own(variable, values[variable.unconstrained])
            for variable in self.variables
            if _is_known(variable)
        }


def _is_known(variable: Variable) -> bool:
    if variable.transform in _INTERVALS:
        return not any(bound is not None and np.isnan(bound) for bound in variable.bounds)
    return variable.transform is None or variable.transform in _KNOWN


def _own(variable: Variable, value: Array) -> Array:
    if variable.transform is None:
        return value
    if variable.transform in _INTERVALS:
        return _in_interval(value, *variable.bounds)
    return _KNOWN[variable.transform](value)


def _in_interval(value: Array, lower: float | None, upper: float | None) -> Array:
    low = -np.inf if lower is None else lower
    high = np.inf if upper is None else upper
    if np.isfinite(low) and np.isfinite(high):
        share = jax.nn.sigmoid(value)
        return share * high + (1 - share) * low
    if np.isfinite(low):
        return jnp.exp(value) + low
    return high - jnp.exp(value) if np.isfinite(high) else value


def _on_simplex(value: Array) -> Array:
    last = -jnp.sum(value, axis=-1, keepdims=True)
    return jax.nn.softmax(jnp.concatenate([value, last], axis=-1), axis=-1)


def _angle(value: Array) -> Array:
    return jnp.arctan2(jnp.sin(value), jnp.cos(value))


# By the names of PyMC's classes.
_INTERVALS = ("Interval", "IntervalTransform")
_KNOWN: dict[str, Callable[[Array], Array]] = {
    "LogTransform": jnp.exp,
    "LogOddsTransform": jax.nn.sigmoid,
    "SimplexTransform": _on_simplex,
    "CircularTransform": _angle,
}
