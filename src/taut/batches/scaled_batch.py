"""What a batch is of all rows."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from taut.arrays import AnyArray
from taut.batches.base import AbstractBatches
from taut.batches.random_rows import RandomRows


class Share(eqx.Module):
    """Rows of a batch, and what they stand for.

    Parameters
    ----------
    arrays
        The rows, along the first axis of each array.
    is_short
        Whether the last row is no part of the batch; where rows are spread over devices, whether
        that of each device is none.
    scale
        By what the batch's log likelihood is multiplied to estimate that of all rows.
    """

    arrays: tuple[AnyArray, ...]
    is_short: Bool[AnyArray, "*devices"]
    scale: Float[AnyArray, ""]


class ScaledRows(AbstractBatches):
    """Random rows, each batch with its scale: rows over batch rows.

    Parameters
    ----------
    rows
        The rows.
    scales
        Of each group.
    """

    rows: RandomRows
    scales: tuple[Float[AnyArray, ""], ...]

    def draw(self, key: PRNGKeyArray, step: Int[Array, ""] | int = 0) -> PyTree:
        drawn = self.rows.draw(key, step)
        short: Array = jnp.zeros((), bool)
        return tuple(
            Share(arrays, short, scale) for arrays, scale in zip(drawn, self.scales, strict=True)
        )
