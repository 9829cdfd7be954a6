"""A density as the sum of many terms, each of which depends on few elements."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

Terms = Callable[..., tuple[Array, ...]]


class Factors(eqx.Module):
    r"""The log densities that a model's log density sums, not yet summed.

    .. math:: \log p(y, z) = \sum_i f_i(z)

    One for each element of each free or observed variable, or for each event where elements of a
    variable depend on each other: the log Jacobian belongs to them.

    Parameters
    ----------
    terms
        ``terms(z, *data) -> arrays``.
    data
        Arrays they read.
    """

    terms: Terms = eqx.field(static=True)
    data: PyTree = ()

    def __call__(self, z: Float[Array, " dim"]) -> Float[Array, " factors"]:
        """Evaluate all of them, one after another."""
        found: Any = self.terms(z, *self.data)
        return jnp.concatenate([jnp.ravel(one) for one in found])
