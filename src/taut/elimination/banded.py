"""A matrix whose elements are near the diagonal, in dense blocks."""

from typing import Any, Self, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float, Scalar

from taut.elimination.base import AbstractElimination, Vector
from taut.elimination.small import log_diagonal

Blocks = Float[Array, "blocks k k"]


@final
class Banded(AbstractElimination):
    r"""A matrix of wide blocks, each of which touches the one before and the one after.

    .. math:: L_t L_t^\top = D_t - W_t W_t^\top, \quad W_t = B_t L_{t-1}^{-\top}

    One block is eliminated after another: for fields on a map, whose rows can be put into an order
    in which neighbours are near, and for dense matrices, which are one block. Blocks of a few rows
    are quicker by `BlockTridiagonal`.

    Parameters
    ----------
    lower
        :math:`L_t`.
    left
        :math:`W_t`; zero for the first block.
    rows
        Of the matrix; the last block is filled up with those of an identity.

    References
    ----------
    Rue, Held (2005), Gaussian Markov Random Fields, section 2.4.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from taut.elimination import Banded
    >>> dense = Banded.of(jnp.array([[[2.0, 1.0], [1.0, 2.0]]]), jnp.zeros((1, 2, 2)), 2)
    >>> print(dense.solve(jnp.ones(2)).round(4))
    [0.3333 0.3333]
    """

    lower: Blocks
    left: Blocks
    rows: int = eqx.field(static=True)

    @classmethod
    def of(cls, diagonal: Blocks, left: Blocks, rows: int) -> Self:
        """Factor a matrix.

        Parameters
        ----------
        diagonal
            The blocks of the diagonal.
        left
            Those to their left: rows of block i, columns of block i - 1; zero for the first.
        rows
            Of the matrix; what fills the last block up is an identity.
        """

        def eliminate(before: Array, block: tuple[Array, Array]) -> tuple[Array, tuple]:
            scaled = solve_triangular(before, block[1].T, lower=True).T
            lower = jnp.linalg.cholesky(block[0] - scaled @ scaled.T)
            return lower, (lower, scaled)

        if len(diagonal) == 1:
            return cls(jnp.linalg.cholesky(diagonal), left, rows)
        identity = jnp.eye(diagonal.shape[-1], dtype=diagonal.dtype)
        lower, scaled = jax.lax.scan(eliminate, identity, (diagonal, left))[1]
        return cls(lower, scaled, rows)

    @property
    def log_det(self) -> Scalar:
        return 2 * log_diagonal(self.lower)

    def solve(self, vector: Vector) -> Vector:
        def step(before: Array, block: tuple[Array, Array, Array]) -> tuple[Array, Array]:
            lower, left, own = block
            found = solve_triangular(lower, own - left @ before, lower=True)
            return found, found

        nothing = jnp.zeros(self.lower.shape[-1], vector.dtype)
        known = jax.lax.scan(step, nothing, (self.lower, self.left, self._cut(vector)))[1]
        return self._back(known)

    def color(self, noise: Vector) -> Vector:
        return self._back(self._cut(noise))

    def whiten(self, vector: Vector) -> Vector:
        cut = self._cut(vector)
        found = jnp.einsum("tij,ti->tj", self.lower, cut)
        found = found.at[:-1].add(jnp.einsum("tij,ti->tj", self.left[1:], cut[1:]))
        return found.reshape(-1)[: self.rows]

    def variances(self) -> Vector:
        identity = jnp.eye(self.lower.shape[-1], dtype=self.lower.dtype)

        def step(after: tuple[Array, Array], block: tuple[Array, Array]) -> tuple[Any, Array]:
            lower, left = block
            covariance, next_left = after
            inner = identity + next_left.T @ covariance @ next_left
            half = solve_triangular(lower.T, inner, lower=False)
            own = solve_triangular(lower.T, half.T, lower=False)
            return (own, left), jnp.diagonal(own)

        begin = jnp.zeros_like(identity), jnp.zeros_like(identity)
        own = jax.lax.scan(step, begin, (self.lower, self.left), reverse=True)[1]
        return own.reshape(-1)[: self.rows]

    def _back(self, known: Float[Array, "blocks k"]) -> Vector:
        r"""Compute :math:`L^{-\top} x`, from the last block to the first."""

        def step(carried: Array, block: tuple[Array, Array, Array]) -> tuple[Array, Array]:
            lower, left, own = block
            found = solve_triangular(lower.T, own - carried, lower=False)
            return left.T @ found, found

        nothing = jnp.zeros(self.lower.shape[-1], known.dtype)
        found = jax.lax.scan(step, nothing, (self.lower, self.left, known), reverse=True)[1]
        return found.reshape(-1)[: self.rows]

    def _cut(self, vector: Vector) -> Float[Array, "blocks k"]:
        blocks, k, _ = self.lower.shape
        return jnp.pad(vector, (0, blocks * k - self.rows)).reshape(blocks, k)
