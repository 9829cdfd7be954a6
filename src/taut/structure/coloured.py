"""Sparse symmetric matrices, read off products with sums of their columns."""

from typing import Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Bool, Float, Int

from taut.arrays import AnyArray

Vector = Float[Array, " dim"]
Elements = tuple[Float[Array, " pairs"], Float[Array, " sums"]]


class Coloured(eqx.Module):
    r"""Where a symmetric matrix has elements, and which of its columns are read together.

    .. math:: H = S + \sum_s m_s 1_s 1_s^\top

    Columns of one colour have no row in common, so that one product with their sum tells all of
    their elements.

    Parameters
    ----------
    row, column
        Of the elements of `S` on the diagonal and beneath it.
    colour
        Of each column.
    members
        Which elements each of the sums :math:`1_s` has.
    first, second
        Two elements of each sum that touch by it alone.
    colours
        How many there are.

    References
    ----------
    Curtis, Powell, Reid (1974), On the estimation of sparse Jacobian matrices.
    """

    row: Int[AnyArray, " pairs"]
    column: Int[AnyArray, " pairs"]
    colour: Int[AnyArray, " dim"]
    members: Bool[AnyArray, "sums dim"]
    first: Int[AnyArray, " sums"]
    second: Int[AnyArray, " sums"]
    colours: int = eqx.field(static=True)

    @classmethod
    def of(cls, pattern: scipy.sparse.csr_array, members: Bool[np.ndarray, "sums dim"]) -> Self:
        """Colour the columns of a symmetric pattern."""
        row, column = scipy.sparse.tril(pattern).nonzero()
        colour = _colour_of(pattern)
        apart = [_apart(pattern, np.flatnonzero(one)) for one in members]
        first, second = np.array(apart, np.int32).reshape(-1, 2).T
        row, column, colour = (one.astype(np.int32) for one in (row, column, colour))
        return cls(row, column, colour, members, first, second, int(colour.max()) + 1)

    @property
    def dim(self) -> int:
        """Rows of the matrix."""
        return self.colour.shape[0]

    def directions(self, dtype: np.dtype) -> Float[Array, "directions dim"]:
        """Return the directions that `read` asks for: of each colour, and one of each sum."""
        colours = self.colour[None] == jnp.arange(self.colours)[:, None]
        firsts = jnp.arange(self.dim)[None] == jnp.asarray(self.first)[:, None]
        return jnp.concatenate([colours, firsts]).astype(dtype)

    def read(self, products: Float[Array, "directions dim"]) -> Elements:
        """Read the elements of `S`, and the sizes of the sums, off products with `directions`."""
        of_column = jnp.asarray(self.colour)[self.column]
        values, dtype = products[of_column, self.row], products.dtype
        if not self.first.shape[0]:
            return values, jnp.zeros(0, dtype)
        sums = products[self.colours + jnp.arange(len(self.first)), self.second]
        members = jnp.asarray(self.members).astype(dtype)
        counts = jax.ops.segment_sum(members.T, jnp.asarray(self.colour), self.colours)
        return values - (counts[of_column] * members.T[self.row]) @ sums, sums

    def times(self, elements: Elements, vector: Vector) -> Vector:
        """Multiply by the matrix with these elements."""
        values, sums = elements
        below = jnp.where(self.row == self.column, 0.0, values)
        found = jnp.zeros_like(vector).at[self.row].add(values * vector[self.column])
        found = found.at[self.column].add(below * vector[self.row])
        members = jnp.asarray(self.members).astype(vector.dtype)
        return found + members.T @ (sums * (members @ vector))


def _colour_of(pattern: scipy.sparse.csr_array) -> Int[np.ndarray, " dim"]:
    """Colour each column by the first colour that no column with a row in common has."""
    dim = pattern.shape[0]
    if pattern.nnz == dim * dim:
        return np.arange(dim)
    near = (pattern.astype(float) @ pattern.astype(float)).tocsr()
    colour = np.full(dim, -1)
    for i in range(dim):
        taken = colour[near.indices[near.indptr[i] : near.indptr[i + 1]]]
        free = np.setdiff1d(np.arange(len(taken) + 1), taken)
        colour[i] = free[0]
    return colour


def _apart(pattern: scipy.sparse.csr_array, among: Int[np.ndarray, " members"]) -> tuple[int, int]:
    """Return two elements that do not touch."""
    first = among[0]
    touched = pattern.indices[pattern.indptr[first] : pattern.indptr[first + 1]]
    return int(first), int(np.setdiff1d(among, touched)[0])
