"""Precisions of latents given the global unknowns, not yet factored."""

from abc import abstractmethod
from typing import Any, Self, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from taut.arrays import AnyArray
from taut.elimination import (
    AbstractElimination,
    Banded,
    BlockDiagonal,
    BlockTridiagonal,
    Bordered,
    Touching,
    Updated,
)

# What damping takes each element of a diagonal for at least, as a share of their mean, and of 1.
_SHARE, _LEAST = 0.1, 1e-8


class AbstractPrecision(eqx.Module):
    """The negative Hessian of a log density in its latents, by its parts."""

    @abstractmethod
    def factor(self, damping: Float[Array, " parts"]) -> AbstractElimination:
        """Factor it, with its diagonal so many times larger in each part."""

    @abstractmethod
    def chosen(self, those: Bool[Array, " parts"], others: Any) -> Self:
        """Take these of this one, and the rest of another of its kind."""


@final
class BlockPrecision(AbstractPrecision):
    """Independent blocks, each a part of its own."""

    blocks: Float[Array, "blocks k k"]

    def factor(self, damping: Float[Array, " parts"]) -> BlockDiagonal:
        return BlockDiagonal.of(_damped(self.blocks, damping))

    def chosen(self, those: Bool[Array, " parts"], others: Any) -> Self:
        return type(self)(jnp.where(those[:, None, None], self.blocks, others.blocks))


@final
class BorderedPrecision(AbstractPrecision):
    """Blocks, and a dense corner that touches them."""

    blocks: Float[Array, "blocks k k"]
    border: Float[Array, "pairs k"]
    corner: Float[Array, "corner corner"]
    touching: Touching

    def factor(self, damping: Float[Array, " parts"]) -> Bordered:
        blocks = _damped(self.blocks, damping)
        corner = _damped(self.corner[None], damping)[0]
        return Bordered.of(blocks, self.touching, self.border, corner)

    def chosen(self, those: Bool[Array, " parts"], others: Any) -> Self:
        pick = lambda one, other: jnp.where(those[0], one, other)  # noqa: E731
        return type(self)(
            pick(self.blocks, others.blocks),
            pick(self.border, others.border),
            pick(self.corner, others.corner),
            self.touching,
        )


@final
class TridiagonalPrecision(AbstractPrecision):
    """Blocks in a row, each of which touches its neighbours."""

    diagonal: Float[Array, "steps k k"]
    below: Float[Array, "rest k k"]

    def factor(self, damping: Float[Array, " parts"]) -> BlockTridiagonal:
        return BlockTridiagonal.of(_damped(self.diagonal, damping), self.below)

    def chosen(self, those: Bool[Array, " parts"], others: Any) -> Self:
        pick = lambda one, other: jnp.where(those[0], one, other)  # noqa: E731
        return type(self)(pick(self.diagonal, others.diagonal), pick(self.below, others.below))


@final
class BandPrecision(AbstractPrecision):
    """Wide blocks in a row, each of which touches its neighbours, and sums of all elements."""

    diagonal: Float[Array, "blocks k k"]
    left: Float[Array, "blocks k k"]
    sizes: Float[Array, " sums"]
    members: Bool[AnyArray, "sums latents"]

    def factor(self, damping: Float[Array, " parts"]) -> AbstractElimination:
        rows = self.members.shape[1]
        own = Banded.of(_damped(self.diagonal, damping), self.left, rows)
        if not self.sizes.shape[0]:
            return own
        return Updated.of(own, jnp.asarray(self.members).astype(self.sizes.dtype), self.sizes)

    def chosen(self, those: Bool[Array, " parts"], others: Any) -> Self:
        pick = lambda one, other: jnp.where(those[0], one, other)  # noqa: E731
        return type(self)(
            pick(self.diagonal, others.diagonal),
            pick(self.left, others.left),
            pick(self.sizes, others.sizes),
            self.members,
        )


def _damped(
    blocks: Float[Array, "blocks k k"], damping: Float[Array, " parts"]
) -> Float[Array, "blocks k k"]:
    """Add a share of its own size to each element of the diagonal."""
    size = jnp.abs(jnp.diagonal(blocks, axis1=-2, axis2=-1)) + _LEAST
    size = jnp.maximum(size, _SHARE * size.mean())
    identity = jnp.eye(blocks.shape[-1], dtype=blocks.dtype)
    return blocks + (damping[:, None] * size)[..., None] * identity
