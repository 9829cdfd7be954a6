"""Latents whose precision is read off its products with a few directions."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Scalar

from taut.marginal.field import AbstractField, Globals, Latents, Local
from taut.marginal.precision import AbstractPrecision
from taut.target import Target

# Directions that are taken at once.
_AT_ONCE = 32

Directions = Float[Array, "directions latents"]


class AbstractReadField(AbstractField):
    """A density that is differentiated as a whole, where the pattern of its Hessian is known.

    Parameters
    ----------
    target
        The density.
    """

    target: eqx.AbstractVar[Target]

    @abstractmethod
    def directions(self, dtype: Any) -> Directions:
        """Return directions whose products with the precision tell all of its elements."""

    @abstractmethod
    def precision_of(self, products: Directions) -> AbstractPrecision:
        """Read the elements off these products."""

    @property
    def terms(self) -> int:
        return self.size

    @property
    def parts(self) -> int:
        return 1

    def log_density(self, theta: Globals, u: Latents) -> Scalar:
        return self.target.log_density(self.place(theta, u))

    def local(self, theta: Globals, u: Latents) -> Local:
        both = jax.value_and_grad(lambda u: self.log_density(theta, u))
        (value, slope), along = jax.linearize(both, u)
        products = _map(lambda v: -along(v)[1], self.directions(u.dtype))
        return Local(value[None], jnp.zeros_like(value), slope, self.precision_of(products))

    def trace_slope(
        self, theta: Globals, u: Latents, weights: AbstractPrecision
    ) -> tuple[Globals, Latents]:
        """Differentiate the precision's elements, each times its weight, direction by direction.

        One forward derivative along each side of a product and one backward: this compiles in a
        quarter of the time that the derivative of all that `local` computes takes.
        """
        directions = self.directions(u.dtype)
        read = lambda products: eqx.filter(self.precision_of(products), eqx.is_inexact_array)  # noqa: E731
        [sides] = jax.vjp(read, directions)[1](weights)

        def product(theta: Globals, u: Latents, side: Latents, direction: Latents) -> Scalar:
            density = lambda u: self.log_density(theta, u)  # noqa: E731
            along = lambda u: jax.jvp(density, (u,), (direction,))[1]  # noqa: E731
            return -jax.jvp(along, (u,), (side,))[1]

        slope = jax.grad(product, argnums=(0, 1))
        every = _map(lambda both: slope(theta, u, *both), (sides, directions))
        return jax.tree.map(lambda one: one.sum(axis=0), every)


def _map(function: Callable[[Any], Any], directions: Any) -> Any:
    """Map over directions; a loop takes longer to compile."""
    if len(jax.tree.leaves(directions)[0]) <= _AT_ONCE:
        return jax.vmap(function)(directions)
    return jax.lax.map(function, directions, batch_size=_AT_ONCE)
