"""Blocks that do not touch each other."""

from typing import Self, final

import jax.numpy as jnp
from jaxtyping import Array, Float, Scalar

from taut.elimination.base import AbstractElimination, Vector
from taut.elimination.small import (
    cholesky,
    inverse,
    log_diagonal,
    solve_lower,
    solve_upper,
    transposed_times,
)


@final
class BlockDiagonal(AbstractElimination):
    """A matrix of independent blocks of one size.

    Parameters
    ----------
    lower
        Cholesky factors of the blocks.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from taut.elimination import BlockDiagonal
    >>> print(BlockDiagonal.of(jnp.full((3, 1, 1), 4.0)).solve(jnp.ones(3)))
    [0.25 0.25 0.25]
    """

    lower: Float[Array, "blocks k k"]

    @classmethod
    def of(cls, blocks: Float[Array, "blocks k k"]) -> Self:
        """Factor blocks."""
        return cls(cholesky(blocks))

    @property
    def log_det(self) -> Scalar:
        return 2 * log_diagonal(self.lower)

    def solve(self, vector: Vector) -> Vector:
        columns = self._cut(vector)[..., None]
        return solve_upper(self.lower, solve_lower(self.lower, columns)).reshape(-1)

    def color(self, noise: Vector) -> Vector:
        return solve_upper(self.lower, self._cut(noise)[..., None]).reshape(-1)

    def whiten(self, vector: Vector) -> Vector:
        return transposed_times(self.lower, self._cut(vector)).reshape(-1)

    def variances(self) -> Vector:
        return jnp.diagonal(inverse(self.lower), axis1=-2, axis2=-1).reshape(-1)

    def _cut(self, vector: Vector) -> Float[Array, "blocks k"]:
        return vector.reshape(self.lower.shape[:2])
