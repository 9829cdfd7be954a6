"""Sparse matrices with rows, which batches read as tables of the entries of each row."""

from typing import Any

from taut.errors import ModelError

# Places of a table for each entry of the matrix, from which on batches are refused.
_MOST_FILLED = 20


def check_table(name: str, matrix: Any, axis: int) -> None:
    """Refuse a matrix of which no table of rows can be made.

    Raises
    ------
    ModelError
        Its rows are columns, or one of them has many more entries than others.
    """
    named = f"The sparse matrix {name!r}" if name else "A sparse matrix without a name"
    if axis:
        raise ModelError(
            f"{named} has the rows of batches along its axis {axis}. Write the model with its "
            "transpose, whose rows come first, or fit all rows: leave batch_size out."
        )
    longest = int(matrix.getnnz(axis=1).max(initial=0))
    if longest * matrix.shape[0] > _MOST_FILLED * max(matrix.nnz, matrix.shape[0]):
        raise ModelError(
            f"{named} can not be read in batches: a row has {longest} entries, and all "
            f"{matrix.shape[0]} have {matrix.nnz}. Fit all rows (leave batch_size out), or take "
            "the full rows out of the matrix."
        )
