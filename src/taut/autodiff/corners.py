"""Derivatives where a function has a corner, as PyTensor takes them.

JAX has another one of the possible derivatives there: that of ``abs`` at zero is 1, not 0, and a
maximum of equals passes half of it to each.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array


@jax.custom_jvp
def absolute(x: Array) -> Array:
    """Compute ``abs(x)``, whose derivative at 0 is 0."""
    return jax.lax.abs(x)


@absolute.defjvp
def _absolute_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (slope,) = primals, tangents
    return absolute(x), jax.lax.sign(x) * slope


@jax.custom_jvp
def maximum(x: Array, y: Array) -> Array:
    """Compute the larger of two numbers, whose derivative by each of two equals is 1."""
    return jax.lax.max(x, y)


@jax.custom_jvp
def minimum(x: Array, y: Array) -> Array:
    """Compute the smaller of two numbers, whose derivative by each of two equals is 1."""
    return jax.lax.min(x, y)


def _choice_jvp(choose: Callable[[Array, Array], Array]) -> Callable[..., tuple[Array, Array]]:
    def jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
        chosen = choose(*primals)
        pairs = zip(primals, tangents, strict=True)
        parts = [jnp.where(one == chosen, slope, 0).astype(chosen.dtype) for one, slope in pairs]
        return chosen, parts[0] + parts[1]

    return jvp


maximum.defjvp(_choice_jvp(maximum))
minimum.defjvp(_choice_jvp(minimum))

# By the names of JAX's primitives.
WITH_KINKS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {"abs": absolute, "max": maximum, "min": minimum}
)
