"""Blocks in a row, each of which touches the one before and the one after."""

from typing import Self, final

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve, solve_triangular
from jaxtyping import Array, Float, Scalar

from taut.elimination.base import AbstractElimination, Vector
from taut.elimination.small import (
    cholesky,
    log_diagonal,
    solve_lower,
    solve_upper,
    times,
    transposed_times,
)

Blocks = Float[Array, "blocks k k"]
# Rows of a matrix that is factored as a dense one. Each step of elimination takes long to compile.
_DENSE = 128


class Level(eqx.Module):
    """Every second block, eliminated: its factor, and its scaled parts to the left and right."""

    lower: Blocks
    left: Blocks
    right: Blocks


@final
class BlockTridiagonal(AbstractElimination):
    r"""A matrix of blocks, each of which touches its neighbours, as in a chain over time.

    Every second block is eliminated at once, since these do not touch each other; what is left is
    such a matrix of half as many blocks. For T blocks this takes :math:`\log_2 T` steps of whole
    arrays where one block after another would take T.

    Parameters
    ----------
    levels
        What was eliminated, step by step.
    last
        Factor of what is left, a small dense matrix.
    k
        Rows of a block.

    References
    ----------
    Heller (1976), Some aspects of the cyclic reduction algorithm for block tridiagonal linear
    systems.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from taut.elimination import BlockTridiagonal
    >>> walk = BlockTridiagonal.of(jnp.full((3, 1, 1), 2.0), jnp.full((2, 1, 1), -1.0))
    >>> print(walk.solve(jnp.ones(3)).round(6))
    [1.5 2.  1.5]
    """

    levels: tuple[Level, ...]
    last: Float[Array, "rest rest"]
    k: int = eqx.field(static=True)

    @classmethod
    def of(cls, diagonal: Blocks, below: Blocks) -> Self:
        """Factor a matrix.

        Parameters
        ----------
        diagonal
            The blocks of the diagonal.
        below
            Those beneath it: rows of block i + 1, columns of block i.
        """
        levels, k = [], diagonal.shape[-1]
        while len(diagonal) > 1 and len(diagonal) * k > _DENSE:
            level, diagonal, below = _eliminate(diagonal, below)
            levels.append(level)
        return cls(tuple(levels), jnp.linalg.cholesky(_dense(diagonal, below)), k)

    @property
    def log_det(self) -> Scalar:
        return 2 * sum(
            (log_diagonal(level.lower) for level in self.levels), start=log_diagonal(self.last)
        )

    def solve(self, vector: Vector) -> Vector:
        rest, known = self._cut(vector), []
        for level in self.levels:
            own = solve_lower(level.lower, rest[1::2][..., None])[..., 0]
            rest = _add_around(
                rest[::2], -transposed_times(level.left, own), -transposed_times(level.right, own)
            )
            known.append(own)
        found = solve_triangular(self.last, rest.reshape(-1), lower=True)
        return self._substitute(found, known)

    def color(self, noise: Vector) -> Vector:
        rest, known = self._cut(noise), []
        for _ in self.levels:
            known.append(rest[1::2])
            rest = rest[::2]
        return self._substitute(rest.reshape(-1), known)

    def whiten(self, vector: Vector) -> Vector:
        rest = self._cut(vector)
        parts = []
        for level in self.levels:
            before, after = _neighbours(rest[::2], len(level.lower))
            own = transposed_times(level.lower, rest[1::2])
            parts.append(own + times(level.left, before) + times(level.right, after))
            rest = rest[::2]
        found = self._cut(self.last.T @ rest.reshape(-1))
        for own in reversed(parts):
            found = _interleave(found, own)
        return found.reshape(-1)

    def variances(self) -> Vector:
        return jnp.diagonal(self.covariances()[0], axis1=-2, axis2=-1).reshape(-1)

    def covariances(self) -> tuple[Blocks, Blocks]:
        """Compute the blocks of the inverse on the diagonal, and those beneath it."""
        inverse = cho_solve((self.last, True), jnp.eye(len(self.last), dtype=self.last.dtype))
        cut = inverse.reshape(-1, self.k, len(self.last) // self.k, self.k)
        at = jnp.arange(len(cut))
        own, below = cut[at, :, at], cut[at[1:], :, at[:-1]]
        for level in reversed(self.levels):
            own, below = _refine(level, own, below)
        return own, below

    def _substitute(self, last: Vector, known: list[Array]) -> Vector:
        """Find what was eliminated, from the last to the first."""
        found = self._cut(solve_triangular(self.last.T, last, lower=False))
        for level, own in zip(reversed(self.levels), reversed(known), strict=True):
            before, after = _neighbours(found, len(level.lower))
            rest = own - times(level.left, before) - times(level.right, after)
            found = _interleave(found, solve_upper(level.lower, rest[..., None])[..., 0])
        return found.reshape(-1)

    def _cut(self, vector: Vector) -> Float[Array, "blocks k"]:
        return vector.reshape(-1, self.k)


def _eliminate(diagonal: Blocks, below: Blocks) -> tuple[Level, Blocks, Blocks]:
    """Eliminate the blocks of odd number; return them, and what is left of the others."""
    odd = len(diagonal) // 2
    lower = cholesky(diagonal[1::2])
    left = solve_lower(lower, below[::2])
    to_the_right = jnp.swapaxes(below[1::2], -1, -2)
    right = solve_lower(lower, _filled(to_the_right, odd))
    squares = jnp.swapaxes(left, -1, -2) @ left, jnp.swapaxes(right, -1, -2) @ right
    rest = _add_around(diagonal[::2], -squares[0], -squares[1])
    between = -jnp.swapaxes(right, -1, -2) @ left
    return Level(lower, left, right), rest, between[: len(rest) - 1]


def _filled(blocks: Blocks, count: int) -> Blocks:
    """Add zeros: the last block of an even number has none to its right."""
    missing = count - len(blocks)
    return jnp.concatenate([blocks, jnp.zeros((missing, *blocks.shape[1:]), blocks.dtype)])


def _add_around(even: Array, to_left: Array, to_right: Array) -> Array:
    """Add to the block before, and to the one after where there is one."""
    even = even.at[: len(to_left)].add(to_left)
    return even.at[1:].add(to_right[: len(even) - 1])


def _neighbours(even: Array, odd: int) -> tuple[Array, Array]:
    """Return the blocks before and after each that was eliminated; zeros where there is none."""
    return even[:odd], _filled(even[1 : odd + 1], odd)


def _interleave(even: Array, odd: Array) -> Array:
    joined = jnp.zeros((len(even) + len(odd), *even.shape[1:]), even.dtype)
    return joined.at[::2].set(even).at[1::2].set(odd)


def _dense(diagonal: Blocks, below: Blocks) -> Float[Array, "rest rest"]:
    """Write a matrix out."""
    count, k, _ = diagonal.shape
    at = jnp.arange(count)
    whole = jnp.zeros((count, k, count, k), diagonal.dtype).at[at, :, at].set(diagonal)
    whole = whole.at[at[1:], :, at[:-1]].set(below)
    whole = whole.at[at[:-1], :, at[1:]].set(jnp.swapaxes(below, -1, -2))
    return whole.reshape(count * k, count * k)


def _refine(level: Level, own: Blocks, below: Blocks) -> tuple[Blocks, Blocks]:
    r"""Add blocks that were eliminated to a covariance.

    With :math:`x_i = -W_l x_{i-1} - W_r x_{i+1} + L^{-\top} \epsilon` their covariances with both
    neighbours follow from those of the neighbours.
    """
    odd = len(level.lower)
    left, right = solve_upper(level.lower, level.left), solve_upper(level.lower, level.right)
    before, after = _neighbours(own, odd)
    across = _filled(below, odd)
    with_before = -(left @ before) - right @ across
    with_after = -(left @ jnp.swapaxes(across, -1, -2)) - right @ after
    identity = jnp.broadcast_to(jnp.eye(left.shape[-1], dtype=left.dtype), left.shape)
    noise = solve_upper(level.lower, solve_lower(level.lower, identity))
    middle = noise - with_before @ jnp.swapaxes(left, -1, -2)
    middle = middle - with_after @ jnp.swapaxes(right, -1, -2)
    to_right = jnp.swapaxes(with_after, -1, -2)[: len(own) - 1]
    return _interleave(own, middle), _interleave(with_before, to_right)
