"""Latents in a chain, as over time."""

from typing import Self, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Scalar

from taut.arrays import AnyArray
from taut.marginal.field import AbstractField, Globals, Latents, Local
from taut.marginal.precision import TridiagonalPrecision
from taut.structure import Chain, Structure, band_of
from taut.target import Target


@final
class ChainField(AbstractField):
    """A density in which each latent touches the one before and the one after.

    Parameters
    ----------
    target
        The density.
    globals, steps
        Where global unknowns are, and the latents of each step.
    is_summed
        Whether the latents are running sums of what the model knows.
    """

    target: Target
    globals: Int[AnyArray, " globals"]
    steps: Int[AnyArray, "steps k"]
    is_summed: bool = eqx.field(static=True)

    @classmethod
    def of(cls, target: Target, structure: Structure) -> Self:
        """Prepare what was read of a model."""
        chain = structure.latents
        assert isinstance(chain, Chain)
        places = structure.globals.astype(np.int32), chain.steps.astype(np.int32)
        return cls(target, *places, chain.is_summed)

    @property
    def size(self) -> int:
        return self.steps.shape[0] * self.steps.shape[1]

    @property
    def terms(self) -> int:
        return self.size

    @property
    def parts(self) -> int:
        return 1

    def place(self, theta: Globals, u: Latents) -> Float[Array, " dim"]:
        steps = u.reshape(self.steps.shape)
        own = jnp.diff(steps, axis=0, prepend=0.0) if self.is_summed else steps
        z = jnp.zeros(self.target.dim, u.dtype).at[self.globals].set(theta)
        return z.at[self.steps].set(own)

    def log_density(self, theta: Globals, u: Latents) -> Scalar:
        return self.target.log_density(self.place(theta, u))

    def local(self, theta: Globals, u: Latents) -> Local:
        both = jax.value_and_grad(lambda u: self.log_density(theta, u))
        shape = self.steps.shape
        (value, slope), along = jax.linearize(both, u)

        def product(direction: Array) -> Array:
            return -along(direction.reshape(-1))[1].reshape(shape)

        own, below = band_of(product, shape, u.dtype)
        precision = TridiagonalPrecision(own, below)
        return Local(value[None], jnp.zeros_like(value), slope, precision)
