"""A model's density on rows that are spread over devices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree, Scalar

from taut.batches import Share
from taut.engine import Devices
from taut.frontend.pymc.rows.batch_terms import BatchTerms


@final
@dataclass(frozen=True)
class SpreadTerms:
    """``(z, data, batch) -> (log_prior, log_likelihood)``, of blocks of rows on devices.

    Each device evaluates its blocks, and all devices add up what they found: a number for a value,
    as many as there are unknowns for a gradient. What has no rows each of them computes itself.

    Parameters
    ----------
    terms
        Of the rows of one block.
    devices
        The devices.
    blocks
        How many blocks there are, as many on each device as on any other.
    in_order
        Whether all devices have values and gradients of all blocks, and add them up in one order:
        then two devices find the same numbers as four, to the last bit.
        Else each adds up its own, and tells the others the sum, which is fewer bytes.
    """

    terms: BatchTerms
    devices: Devices
    blocks: int
    in_order: bool

    def __call__(
        self, z: Float[Array, " dim"], data: PyTree, batch: Sequence[Share]
    ) -> tuple[Scalar, Scalar]:
        rows = [(share.arrays, share.is_short) for share in batch]
        scales = [share.scale for share in batch]
        evaluate = self.devices.each(self._own, (True, False, True, False), True)
        # One copy of the unknowns for each block, so that each has a gradient of its own.
        copies = jnp.broadcast_to(z, (self.blocks, *z.shape))
        values = evaluate(self._told(copies), data, rows, scales)
        prior, rest, _ = self.terms.apart(z, data, [_two_rows(share) for share in batch])
        return prior, rest + jnp.sum(self._told(values))

    def _told(self, array: Array) -> Array:
        """Let all devices have what belongs to all blocks, or its slope, if they add it up."""
        if not self.in_order:
            return array
        # Where XLA sees the sum and what is around it in one, it rounds both at once, or not.
        barrier = jax.lax.optimization_barrier
        return barrier(self.devices.on_all(barrier(array)))

    def _own(
        self,
        copies: Float[Array, "blocks dim"],
        data: PyTree,
        rows: PyTree,
        scales: Sequence[Array],
    ) -> Float[Array, " blocks"]:
        """Evaluate this device's blocks."""
        count = len(copies)
        blocks = jax.tree.map(lambda leaf: leaf.reshape(count, -1, *leaf.shape[1:]), rows)

        def of_block(z: Array, rows: PyTree) -> Scalar:
            pairs = zip(rows, scales, strict=True)
            own = [Share(arrays, is_short[0], scale) for (arrays, is_short), scale in pairs]
            *_, groups = self.terms.apart(z, data, own)
            parts = zip(scales, groups, strict=True)
            return jnp.asarray(sum(scale * group for scale, group in parts), z.dtype)

        return jax.vmap(of_block)(copies, blocks)


def _two_rows(share: Share) -> Share:
    """Stand in for rows where nothing is asked of them."""
    arrays = tuple(jnp.zeros((2, *one.shape[1:]), one.dtype) for one in share.arrays)
    return Share(arrays, jnp.zeros((), bool), share.scale)
