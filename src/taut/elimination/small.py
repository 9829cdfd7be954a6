"""Cholesky factors of very many small matrices, written out element by element.

LAPACK takes longer to be called than to factor a matrix of two rows.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

Squares = Float[Array, "*batch k k"]
Columns = Float[Array, "*batch k columns"]


def cholesky(matrices: Squares) -> Squares:
    """Factor positive definite matrices into lower triangles; NaN where one is not."""
    k = matrices.shape[-1]
    rows: list[list[Array]] = []
    for i in range(k):
        row: list[Array] = []
        for j in range(i + 1):
            rest = matrices[..., i, j] - sum(
                (a * b for a, b in zip(row, rows[j] if j < i else row, strict=False)),
                start=jnp.zeros((), matrices.dtype),
            )
            row.append(jnp.sqrt(rest) if i == j else rest / rows[j][j])
        rows.append(row)
    zero = jnp.zeros(matrices.shape[:-2], matrices.dtype)
    filled = [jnp.stack([*row, *[zero] * (k - len(row))], axis=-1) for row in rows]
    return jnp.stack(filled, axis=-2)


def solve_lower(lower: Squares, columns: Columns) -> Columns:
    r"""Compute :math:`L^{-1} B`."""
    found: list[Array] = []
    for i in range(lower.shape[-1]):
        rest = columns[..., i, :]
        for j, one in enumerate(found):
            rest = rest - lower[..., i, j, None] * one
        found.append(rest / lower[..., i, i, None])
    return jnp.stack(found, axis=-2)


def solve_upper(lower: Squares, columns: Columns) -> Columns:
    r"""Compute :math:`L^{-\top} B`."""
    k = lower.shape[-1]
    found: dict[int, Array] = {}
    for i in reversed(range(k)):
        rest = columns[..., i, :]
        for j, one in found.items():
            rest = rest - lower[..., j, i, None] * one
        found[i] = rest / lower[..., i, i, None]
    return jnp.stack([found[i] for i in range(k)], axis=-2)


def inverse(lower: Squares) -> Squares:
    r"""Compute :math:`(L L^\top)^{-1}`."""
    identity = jnp.broadcast_to(jnp.eye(lower.shape[-1], dtype=lower.dtype), lower.shape)
    return solve_upper(lower, solve_lower(lower, identity))


def log_diagonal(lower: Squares) -> Array:
    """Sum the logarithms of all diagonals."""
    return jnp.sum(jnp.log(jnp.diagonal(lower, axis1=-2, axis2=-1)))


def times(matrices: Float[Array, "*batch k l"], vectors: Float[Array, "*batch l"]) -> Array:
    """Multiply each matrix by its vector."""
    return jnp.sum(matrices * vectors[..., None, :], axis=-1)


def transposed_times(
    matrices: Float[Array, "*batch k l"], vectors: Float[Array, "*batch k"]
) -> Array:
    """Multiply the transpose of each matrix by its vector."""
    return jnp.sum(matrices * vectors[..., :, None], axis=-2)
