"""Many independent blocks, and a dense corner that touches them."""

from typing import Self, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Scalar

from taut.elimination.base import AbstractElimination, Vector
from taut.elimination.block_diagonal import BlockDiagonal
from taut.elimination.small import log_diagonal, solve_lower, transposed_times
from taut.elimination.touching import Touching


@final
class Bordered(AbstractElimination):
    r"""A block-diagonal matrix with a border, as of two crossed factors.

    .. math:: H = \begin{pmatrix} D & B \\ B^\top & C \end{pmatrix}, \quad
              S = C - B^\top D^{-1} B

    The blocks of `D` are eliminated, and what is left is dense. A vector has the elements of the
    blocks first.

    Parameters
    ----------
    blocks
        Factors of `D`.
    touching
        Which elements of the corner touch which block.
    scaled
        :math:`L^{-1} B`, for each pair that touches.
    corner
        Cholesky factor of `S`.
    """

    blocks: BlockDiagonal
    touching: Touching
    scaled: Float[Array, "pairs k"]
    corner: Float[Array, "corner corner"]

    @classmethod
    def of(
        cls,
        blocks: Float[Array, "blocks k k"],
        touching: Touching,
        border: Float[Array, "pairs k"],
        corner: Float[Array, "corner corner"],
    ) -> Self:
        """Factor a matrix of its parts `D`, `B` (where it is not zero) and `C`."""
        own = BlockDiagonal.of(blocks)
        scaled = solve_lower(own.lower[touching.block], border[..., None])[..., 0]
        return cls(own, touching, scaled, jnp.linalg.cholesky(corner - touching.gram(scaled)))

    @property
    def log_det(self) -> Scalar:
        return self.blocks.log_det + 2 * log_diagonal(self.corner)

    def solve(self, vector: Vector) -> Vector:
        own, corner = self._cut(vector)
        known = solve_lower(self.blocks.lower, own[..., None])[..., 0]
        rest = corner - self.touching.down(self.scaled, known)
        low = jax.scipy.linalg.solve_triangular(self.corner, rest, lower=True)
        return self._substitute(known, low)

    def color(self, noise: Vector) -> Vector:
        return self._substitute(*self._cut(noise))

    def whiten(self, vector: Vector) -> Vector:
        own, corner = self._cut(vector)
        known = transposed_times(self.blocks.lower, own)
        known = known + self.touching.up(self.scaled, corner)
        return jnp.concatenate([known.reshape(-1), self.corner.T @ corner])

    def variances(self) -> Vector:
        dense = jax.scipy.linalg.cho_solve(
            (self.corner, True), jnp.eye(len(self.corner), dtype=self.corner.dtype)
        )
        inner = self.touching.sandwich(self.scaled, dense)
        # L^-T (I + E S^-1 E') L^-1, of which the diagonal.
        k = self.blocks.lower.shape[-1]
        identity = jnp.broadcast_to(jnp.eye(k, dtype=dense.dtype), self.blocks.lower.shape)
        root = solve_lower(self.blocks.lower, identity)
        own = jnp.einsum("gki,gkl,gli->gi", root, identity + inner, root)
        return jnp.concatenate([own.reshape(-1), jnp.diag(dense)])

    def _substitute(self, known: Float[Array, "blocks k"], low: Vector) -> Vector:
        corner = jax.scipy.linalg.solve_triangular(self.corner.T, low, lower=False)
        rest = known - self.touching.up(self.scaled, corner)
        return jnp.concatenate([self.blocks.color(rest.reshape(-1)), corner])

    def _cut(self, vector: Vector) -> tuple[Float[Array, "blocks k"], Vector]:
        size = self.blocks.lower.shape[0] * self.blocks.lower.shape[1]
        return vector[:size].reshape(self.blocks.lower.shape[:2]), vector[size:]
