"""Second derivatives of the log density."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from taut.target import Target


def hessian_at(target: Target, z: Float[Array, " dim"]) -> Float[Array, "dim dim"]:
    """Evaluate the second derivatives of the log density, a column at a time.

    A program for `Programs`, in O(dim²) memory.
    """
    slope = jax.grad(target.log_density)
    return jax.lax.map(lambda v: jax.jvp(slope, (z,), (v,))[1], jnp.eye(len(z), dtype=z.dtype))
