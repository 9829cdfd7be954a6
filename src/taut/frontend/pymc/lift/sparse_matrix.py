"""Sparse matrices on the device, and their products."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Self, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Num

from taut.frontend.pymc.graph import FromTable, SparseProduct

# Entries of a table whose rows are filled up, for each entry of the matrix, up to which it is made.
_FILLED = 1.25


@final
class SparseMatrix(eqx.Module):
    """A matrix of data of which few entries are not zero.

    Where rows have as many entries, such as those of a few categories, they are a table, and a
    product reads and sums; else they are a list in the order of rows, and a product adds them up
    by row.

    Parameters
    ----------
    column, value
        Of the entries; row by row where it is a table, what fills a row up counts zero.
    row
        Of the entries, `None` for a table.
    shape
        Of the matrix.
    """

    column: Int[Array, "*entries"]
    value: Num[Array, "*entries"]
    row: Int[Array, " entries"] | None
    shape: tuple[int, int] = eqx.field(static=True)

    @classmethod
    def of(cls, matrix: Any) -> Self:
        """Copy a matrix of SciPy's to the device."""
        rows = matrix.tocsr()
        lengths = np.diff(rows.indptr)
        if lengths.max(initial=0) * len(lengths) <= _FILLED * rows.nnz:
            column, value = table_of(rows)
            return cls(jax.device_put(column), jax.device_put(value), None, rows.shape)
        column, value = rows.indices.astype(np.int32), np.array(rows.data)
        row = jax.device_put(_row(rows))
        return cls(jax.device_put(column), jax.device_put(value), row, rows.shape)

    def times(self, dense: Float[Array, "columns *more"]) -> Float[Array, "rows *more"]:
        """Multiply by a vector or a dense matrix.

        Examples
        --------
        >>> import numpy as np, scipy.sparse
        >>> from taut.frontend.pymc.lift.sparse_matrix import SparseMatrix
        >>> matrix = SparseMatrix.of(scipy.sparse.csr_array([[0.0, 2.0], [1.0, 3.0]]))
        >>> print(matrix.times(np.array([1.0, 10.0])))
        [20. 31.]
        """
        dense = jnp.asarray(dense)
        weight = self.value.reshape(self.value.shape + (1,) * (dense.ndim - 1))
        read = jnp.asarray(weight, dense.dtype) * dense.at[self.column].get(
            mode="promise_in_bounds"
        )
        if self.row is None:
            return read.sum(axis=1)
        return jax.ops.segment_sum(read, self.row, self.shape[0], indices_are_sorted=True)


def table_of(matrix: Any) -> tuple[Int[np.ndarray, "rows width"], Num[np.ndarray, "rows width"]]:
    """Write a matrix as the columns and values of each row, filled up with zeros."""
    rows = matrix.tocsr()
    width = int(np.diff(rows.indptr).max(initial=0))
    row = _row(rows)
    place = row, np.arange(rows.nnz) - rows.indptr[row]
    column = np.zeros((rows.shape[0], width), np.int32)
    value = np.zeros((rows.shape[0], width), rows.dtype)
    column[place], value[place] = rows.indices, rows.data
    return column, value


def _row(rows: Any) -> Int[np.ndarray, " entries"]:
    """Return the row of each entry."""
    return np.repeat(np.arange(rows.shape[0], dtype=np.int32), np.diff(rows.indptr))


def _product_on_jax(op: SparseProduct, node: Any, **_: Any) -> Callable[..., Array]:
    """Return the product as a function of JAX, in the type that PyTensor gives it."""
    dtype = node.outputs[0].type.dtype

    def product(matrix: SparseMatrix, dense: Array) -> Array:
        return matrix.times(jnp.asarray(dense, jax.dtypes.canonicalize_dtype(dtype)))

    return product


def _from_table_on_jax(op: FromTable, node: Any, **_: Any) -> Callable[..., SparseMatrix]:
    """Return the matrix as JAX has it."""
    return lambda column, value: SparseMatrix(column, value, None, (len(column), op.columns))


# What PyTensor's JAX backend is told.
ON_JAX = MappingProxyType({SparseProduct: _product_on_jax, FromTable: _from_table_on_jax})
