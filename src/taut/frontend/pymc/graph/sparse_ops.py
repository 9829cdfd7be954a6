"""Operations on sparse matrices that JAX has from taut."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.sparse.type import SparseTensorType
from pytensor.tensor.type import TensorType


class SparseProduct(Op):
    """A sparse matrix times a vector or a dense matrix."""

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        matrix, dense = inputs
        dtype = np.result_type(matrix.type.dtype, dense.type.dtype)
        shape = (matrix.type.shape[0], *dense.type.shape[1:])
        return Apply(self, [matrix, dense], [TensorType(dtype, shape=shape)()])

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: list[Any]) -> None:
        matrix, dense = inputs
        output_storage[0][0] = np.asarray(matrix @ dense, node.outputs[0].type.dtype)


class FromTable(Op):
    """The sparse matrix of some rows of a table of columns and values.

    Parameters
    ----------
    like
        The type of a matrix of any rows.
    columns
        Of the matrix.
    """

    __props__ = ("columns", "kind")

    def __init__(self, like: SparseTensorType, columns: int) -> None:
        self.kind, self.columns = like.clone(shape=(None, columns)), columns

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, list(inputs), [self.kind()])

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: list[Any]) -> None:
        column, value = inputs
        rows, width = column.shape
        first = np.arange(rows + 1) * width
        entries = value.ravel(), column.ravel(), first
        matrix = scipy.sparse.csr_matrix(entries, shape=(rows, self.columns))
        output_storage[0][0] = matrix.asformat(self.kind.format)
