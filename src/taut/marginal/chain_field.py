"""Latents in a chain, as over time."""

from typing import Any, Self, final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from taut.arrays import AnyArray
from taut.marginal.field import Globals, Latents
from taut.marginal.precision import TridiagonalPrecision
from taut.marginal.read_field import AbstractReadField, Directions
from taut.structure import Chain, Structure, band_directions, band_of
from taut.target import Target


@final
class ChainField(AbstractReadField):
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

    def place(self, theta: Globals, u: Latents) -> Float[Array, " dim"]:
        steps = u.reshape(self.steps.shape)
        own = jnp.diff(steps, axis=0, prepend=0.0) if self.is_summed else steps
        z = jnp.zeros(self.target.dim, u.dtype).at[self.globals].set(theta)
        return z.at[self.steps].set(own)

    def directions(self, dtype: Any) -> Directions:
        found = band_directions(self.steps.shape, dtype)
        return found.reshape(-1, self.size)

    def precision_of(self, products: Directions) -> TridiagonalPrecision:
        return TridiagonalPrecision(*band_of(products.reshape(-1, *self.steps.shape)))
