"""Latents of a field, as on a map, or of which each touches all others."""

from typing import Any, Self, final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from taut.arrays import AnyArray
from taut.marginal.field import Globals, Latents
from taut.marginal.precision import BandPrecision
from taut.marginal.read_field import AbstractReadField, Directions
from taut.structure import Coloured, Field, Structure
from taut.target import Target


@final
class NearField(AbstractReadField):
    """A density in which latents touch those that are near them in some order.

    Parameters
    ----------
    target
        The density.
    globals, order
        Where global unknowns are, and the latents.
    coloured
        Which latents touch each other.
    inside
        Whether two that do are of one block.
    at
        Where their element is in the blocks of the diagonal, or to the left of it.
    blocks
        How many blocks there are, and their rows.
    """

    target: Target
    globals: Int[AnyArray, " globals"]
    order: Int[AnyArray, " latents"]
    coloured: Coloured
    inside: Int[AnyArray, " pairs"]
    at: Int[AnyArray, " pairs"]
    blocks: tuple[int, int] = eqx.field(static=True)

    @classmethod
    def of(cls, target: Target, structure: Structure) -> Self:
        """Prepare what was read of a model."""
        field = structure.latents
        assert isinstance(field, Field)
        row, column, k = field.coloured.row, field.coloured.column, field.width
        at = (row // k) * k**2 + (row % k) * k + column % k
        places = structure.globals.astype(np.int32), field.order.astype(np.int32)
        inside = (row // k == column // k).astype(np.int32)
        blocks = -(-len(field.order) // k), k
        return cls(target, *places, field.coloured, inside, at.astype(np.int32), blocks)

    @property
    def size(self) -> int:
        return self.order.shape[0]

    def place(self, theta: Globals, u: Latents) -> Float[Array, " dim"]:
        return jnp.zeros(self.target.dim, u.dtype).at[self.globals].set(theta).at[self.order].set(u)

    def directions(self, dtype: Any) -> Directions:
        return self.coloured.directions(dtype)

    def precision_of(self, products: Directions) -> BandPrecision:
        values, sizes = self.coloured.read(products)
        return BandPrecision(*self._in_blocks(values), sizes, self.coloured.members)

    def _in_blocks(self, values: Float[Array, " pairs"]) -> tuple[Array, Array]:
        """Fill the blocks of the diagonal, and those to their left."""
        count, k = self.blocks
        nothing, shape = jnp.zeros(count * k * k, values.dtype), (count, k, k)
        left = nothing.at[self.at].add(jnp.where(self.inside, 0.0, values)).reshape(shape)
        own = nothing.at[self.at].add(jnp.where(self.inside, values, 0.0)).reshape(shape)
        lower = jnp.tril(own, -1)
        whole = jnp.swapaxes(lower, 1, 2) + own
        filled = jnp.arange(count * k).reshape(count, k) >= self.size
        return whole + filled[:, :, None] * jnp.eye(k, dtype=values.dtype), left
