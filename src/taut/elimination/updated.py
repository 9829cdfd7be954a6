"""A matrix that is known by a factor, and a few dense directions that are added to it."""

from typing import Self, final

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float, Scalar

from taut.elimination.base import AbstractElimination, Vector
from taut.elimination.small import log_diagonal


@final
class Updated(AbstractElimination):
    r"""A factored matrix with an addition of low rank.

    .. math:: S + V M V^\top = L (I + W M W^\top) L^\top = L R R^\top L^\top, \quad
              W = L^{-1} V = Q T, \quad R = I + Q (F - I) Q^\top, \quad F F^\top = I + T M T^\top

    As of variables whose sum has a density of its own, so that all of their elements touch.

    Parameters
    ----------
    inner
        A factor of `S`.
    basis
        `Q`, of orthonormal columns.
    small
        `F`.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from taut.elimination import BlockDiagonal, Updated
    >>> own = BlockDiagonal.of(jnp.ones((3, 1, 1)))
    >>> print(Updated.of(own, jnp.ones((1, 3)), jnp.ones(1)).solve(jnp.ones(3)))
    [0.25 0.25 0.25]
    """

    inner: AbstractElimination
    basis: Float[Array, "dim few"]
    small: Float[Array, "few few"]

    @classmethod
    def of(
        cls,
        inner: AbstractElimination,
        directions: Float[Array, "few dim"],
        sizes: Float[Array, " few"],
    ) -> Self:
        r"""Add :math:`V M V^\top` with a diagonal `M`; the directions are the columns of `V`."""
        scaled = jax.vmap(lambda one: inner.whiten(inner.solve(one)))(directions)
        basis, triangle = jnp.linalg.qr(scaled.T)
        square = jnp.eye(len(sizes), dtype=sizes.dtype) + (triangle * sizes) @ triangle.T
        return cls(inner, basis, jnp.linalg.cholesky(square))

    @property
    def log_det(self) -> Scalar:
        return self.inner.log_det + 2 * log_diagonal(self.small)

    def solve(self, vector: Vector) -> Vector:
        return self.color(self._forward(vector))

    def color(self, noise: Vector) -> Vector:
        along = self.basis.T @ noise
        back = solve_triangular(self.small.T, along, lower=False)
        return self.inner.color(noise + self.basis @ (back - along))

    def whiten(self, vector: Vector) -> Vector:
        own = self.inner.whiten(vector)
        along = self.basis.T @ own
        return own + self.basis @ (self.small.T @ along - along)

    def variances(self) -> Vector:
        # L^-T (I - Q (I - (F F')^-1) Q') L^-1, of which the diagonal.
        few = jnp.eye(len(self.small), dtype=self.small.dtype)
        inverse = solve_triangular(self.small, few, lower=True)
        moved = jax.vmap(self.inner.color)(self.basis.T)
        less = jnp.einsum("id,ij,jd->d", moved, few - inverse.T @ inverse, moved)
        return self.inner.variances() - less

    def _forward(self, vector: Vector) -> Vector:
        r"""Compute :math:`R^{-1} L^{-1} b`."""
        own = self.inner.whiten(self.inner.solve(vector))
        along = self.basis.T @ own
        return own + self.basis @ (solve_triangular(self.small, along, lower=True) - along)
