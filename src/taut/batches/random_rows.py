"""Random rows with replacement, as `pymc.Minibatch` draws them."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from taut.arrays import AnyArray
from taut.batches.base import AbstractBatches


class RandomRows(AbstractBatches):
    """Rows drawn independently and with replacement, one index for all arrays of a group.

    Parameters
    ----------
    groups
        For each group its arrays, equally long along their first axis.
    sizes
        For each group the rows of a batch.
    """

    groups: tuple[tuple[AnyArray, ...], ...]
    sizes: tuple[int, ...] = eqx.field(static=True)

    def draw(self, key: PRNGKeyArray, step: Int[Array, ""] | int = 0) -> PyTree:
        keys = jax.random.split(key, len(self.groups))
        return tuple(
            _rows(group, size, key)
            for group, size, key in zip(self.groups, self.sizes, keys, strict=True)
        )


def _rows(group: tuple[AnyArray, ...], size: int, key: PRNGKeyArray) -> tuple[Array, ...]:
    index = jax.random.randint(key, (size,), 0, group[0].shape[0], dtype=jnp.int32)
    # Without the barrier XLA draws the numbers anew for each array that is indexed by them.
    index = jax.lax.optimization_barrier(index)
    # The arrays may be NumPy's: they are until they have gone through a program.
    return tuple(jnp.asarray(array).at[index].get(mode="promise_in_bounds") for array in group)
