"""Which elements of a corner touch which blocks, as pairs."""

from typing import Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from taut.arrays import AnyArray

# A product of dense matrices takes so many times less for an element than a scattered sum.
_DENSE_GAIN = 100


class Touching(eqx.Module):
    """Pairs of a block and an element of the corner that touch each other.

    Parameters
    ----------
    block, element
        Of each pair; the pairs are sorted by block.
    first, second
        Numbers of two pairs of one block, for all such two; empty where the products of dense
        matrices are quicker.
    blocks, corner
        How many there are.
    """

    block: Int[AnyArray, " pairs"]
    element: Int[AnyArray, " pairs"]
    first: Int[AnyArray, " products"]
    second: Int[AnyArray, " products"]
    blocks: int = eqx.field(static=True)
    corner: int = eqx.field(static=True)

    @classmethod
    def of(
        cls,
        block: Int[np.ndarray, " pairs"],
        element: Int[np.ndarray, " pairs"],
        blocks: int,
        corner: int,
    ) -> Self:
        """Prepare products for pairs that are sorted by block."""
        each = np.bincount(block, minlength=blocks)
        products = int((each.astype(float) ** 2).sum())
        first = second = np.empty(0, np.int32)
        if products * _DENSE_GAIN < float(blocks) * corner**2:
            repeated = each[block]
            begin = np.concatenate([[0], np.cumsum(each)])[block]
            first = np.repeat(np.arange(len(block)), repeated)
            offset = np.arange(len(first)) - np.repeat(np.cumsum(repeated) - repeated, repeated)
            second = np.repeat(begin, repeated) + offset
        own, other = block.astype(np.int32), element.astype(np.int32)
        return cls(own, other, first.astype(np.int32), second.astype(np.int32), blocks, corner)

    def gram(self, values: Float[Array, "pairs k"]) -> Float[Array, "corner corner"]:
        r"""Compute :math:`E^\top E` of a sparse matrix with these values."""
        if not self.first.shape[0]:
            dense = self._dense(values)
            return jnp.einsum("gkf,gkh->fh", dense, dense)
        products = jnp.sum(values[self.first] * values[self.second], axis=-1)
        at = self.element[self.first] * self.corner + self.element[self.second]
        flat = jax.ops.segment_sum(products, at, self.corner**2)
        return flat.reshape(self.corner, self.corner)

    def down(
        self, values: Float[Array, "pairs k"], own: Float[Array, "blocks k"]
    ) -> Float[Array, " corner"]:
        r"""Compute :math:`E^\top x`."""
        products = jnp.sum(values * own[self.block], axis=-1)
        return jax.ops.segment_sum(products, self.element, self.corner)

    def up(
        self, values: Float[Array, "pairs k"], corner: Float[Array, " corner"]
    ) -> Float[Array, "blocks k"]:
        r"""Compute :math:`E y`."""
        products = values * corner[self.element][:, None]
        return jax.ops.segment_sum(products, self.block, self.blocks, indices_are_sorted=True)

    def sandwich(
        self, values: Float[Array, "pairs k"], dense: Float[Array, "corner corner"]
    ) -> Float[Array, "blocks k k"]:
        r"""Compute the blocks of :math:`E M E^\top` on the diagonal."""
        if not self.first.shape[0]:
            whole = self._dense(values)
            return jnp.einsum("gkf,fh,glh->gkl", whole, dense, whole)
        between = dense[self.element[self.first], self.element[self.second]]
        products = values[self.first][:, :, None] * values[self.second][:, None, :]
        of = self.block[self.first]
        return jax.ops.segment_sum(
            products * between[:, None, None], of, self.blocks, indices_are_sorted=True
        )

    def _dense(self, values: Float[Array, "pairs k"]) -> Float[Array, "blocks k corner"]:
        empty = jnp.zeros((self.blocks, values.shape[1], self.corner), values.dtype)
        return empty.at[self.block, :, self.element].set(values)
