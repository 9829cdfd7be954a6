"""Factored precisions are those of the dense matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taut.elimination import (
    AbstractElimination,
    Banded,
    BlockDiagonal,
    BlockTridiagonal,
    Bordered,
    Touching,
    Updated,
)


def _definite(random: np.random.Generator, *shape: int) -> np.ndarray:
    root = random.normal(size=shape)
    return root @ np.swapaxes(root, -1, -2) + np.eye(shape[-1])


def block_diagonal(random: np.random.Generator, n: int, k: int) -> tuple[np.ndarray, object]:
    blocks = _definite(random, n, k, k)
    dense = np.zeros((n * k, n * k))
    for i, block in enumerate(blocks):
        dense[i * k : (i + 1) * k, i * k : (i + 1) * k] = block
    return dense, BlockDiagonal.of(jnp.asarray(blocks))


def _tridiagonal(random: np.random.Generator, n: int, k: int) -> np.ndarray:
    root = np.zeros((n * k, n * k))
    for i in range(n):
        root[i * k : (i + 1) * k, max(i - 1, 0) * k : (i + 1) * k] = random.normal(
            size=(k, k if i == 0 else 2 * k)
        )
    return root @ root.T + np.eye(n * k)


def block_tridiagonal(random: np.random.Generator, n: int, k: int) -> tuple[np.ndarray, object]:
    dense = _tridiagonal(random, n, k)
    cut = dense.reshape(n, k, n, k)
    diagonal = np.stack([cut[i, :, i] for i in range(n)])
    below = [cut[i + 1, :, i] for i in range(n - 1)] or np.empty((0, k, k))
    return dense, BlockTridiagonal.of(jnp.asarray(diagonal), jnp.asarray(np.array(below)))


def bordered(random: np.random.Generator, n: int, k: int) -> tuple[np.ndarray, object]:
    corner = int(random.integers(1, 9))
    touches = random.random((n, corner)) < random.choice([0.02, 0.5, 1.0])
    touches[:, 0] = True
    values = random.normal(size=(n, k, corner)) * touches[:, None]
    border = values.reshape(n * k, corner)
    dense = np.zeros((n * k + corner, n * k + corner))
    blocks = _definite(random, n, k, k)
    for i, block in enumerate(blocks):
        dense[i * k : (i + 1) * k, i * k : (i + 1) * k] = block
    inner = dense[: n * k, : n * k]
    c = _definite(random, corner, corner) + border.T @ np.linalg.solve(inner, border)
    dense[: n * k, n * k :], dense[n * k :, : n * k], dense[n * k :, n * k :] = border, border.T, c
    block, element = np.nonzero(touches)
    touching = Touching.of(block, element, n, corner)
    pairs = values[block, :, element]
    parts = jnp.asarray(blocks), touching, jnp.asarray(pairs), jnp.asarray(c)
    return dense, Bordered.of(*parts)


def banded(random: np.random.Generator, n: int, k: int) -> tuple[np.ndarray, object]:
    """The last block is not full."""
    dense, rows = _tridiagonal(random, n, k), n * k - (k - 1)
    whole = np.eye(n * k)
    whole[:rows, :rows] = dense[:rows, :rows]
    cut = whole.reshape(n, k, n, k)
    diagonal = np.stack([cut[i, :, i] for i in range(n)])
    left = np.stack([np.zeros((k, k)), *(cut[i + 1, :, i] for i in range(n - 1))])
    return dense[:rows, :rows], Banded.of(jnp.asarray(diagonal), jnp.asarray(left), rows)


def updated(random: np.random.Generator, n: int, k: int) -> tuple[np.ndarray, object]:
    """One of the additions makes the matrix smaller."""
    dense, factor = banded(random, n, k)
    few = min(2, len(dense))
    directions, sizes = random.normal(size=(few, len(dense))), np.array([3.0, 0.0])[:few]
    sizes[-1] = -0.5 / (directions[-1] @ np.linalg.solve(dense, directions[-1]))
    assert isinstance(factor, AbstractElimination)
    whole = dense + (directions.T * sizes) @ directions
    return whole, Updated.of(factor, jnp.asarray(directions), jnp.asarray(sizes))


@pytest.mark.parametrize("kind", [block_diagonal, block_tridiagonal, bordered, banded, updated])
@settings(max_examples=6, deadline=None)
@given(n=st.sampled_from([1, 2, 7]), k=st.sampled_from([1, 3]), seed=st.integers(0, 2**31))
def test_the_factor_is_that_of_the_dense_matrix(kind: object, n: int, k: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    with jax.enable_x64(True):
        dense, factor = kind(random, n, k)
        assert isinstance(factor, AbstractElimination)
        vector = random.normal(size=len(dense))
        covariance = np.linalg.inv(dense)
        close = {"rtol": 1e-7, "atol": 1e-9}
        np.testing.assert_allclose(factor.log_det, np.linalg.slogdet(dense)[1], **close)
        np.testing.assert_allclose(factor.solve(jnp.asarray(vector)), covariance @ vector, **close)
        np.testing.assert_allclose(factor.variances(), np.diag(covariance), **close)
        root = np.stack([np.asarray(factor.color(row)) for row in jnp.eye(len(dense))], axis=1)
        np.testing.assert_allclose(root @ root.T, covariance, **close)
        there = factor.whiten(factor.color(jnp.asarray(vector)))
        np.testing.assert_allclose(there, vector, **close)


def test_long_chains_are_eliminated_step_by_step() -> None:
    """As above, with more blocks than are factored as a dense matrix."""
    random = np.random.default_rng(3)
    with jax.enable_x64(True):
        dense, factor = block_tridiagonal(random, 301, 1)
        assert len(factor.levels) == 2
        vector, covariance = random.normal(size=len(dense)), np.linalg.inv(dense)
        np.testing.assert_allclose(factor.log_det, np.linalg.slogdet(dense)[1], rtol=1e-9)
        np.testing.assert_allclose(
            factor.solve(jnp.asarray(vector)), covariance @ vector, atol=1e-9
        )
        np.testing.assert_allclose(factor.variances(), np.diag(covariance), atol=1e-9)
        np.testing.assert_allclose(
            factor.covariances()[1].ravel(), np.diag(covariance, -1), atol=1e-9
        )
        root = np.asarray(jax.vmap(factor.color)(jnp.eye(len(dense)))).T
        np.testing.assert_allclose(root @ root.T, covariance, atol=1e-9)
        there = factor.whiten(factor.color(jnp.asarray(vector)))
        np.testing.assert_allclose(there, vector, atol=1e-9)


def test_pairs_are_added_up_where_few_touch() -> None:
    random = np.random.default_rng(0)
    with jax.enable_x64(True):
        element = np.stack([random.permutation(200)[:2] for _ in range(50)])
        block = np.repeat(np.arange(50), 2)
        touching = Touching.of(block, element.ravel(), 50, 200)
        assert len(touching.first) == 200
        values = random.normal(size=(100, 3))
        dense = np.zeros((50, 3, 200))
        dense[block, :, element.ravel()] = values
        square = _definite(random, 200, 200)
        gram = np.einsum("gkf,gkh->fh", dense, dense)
        np.testing.assert_allclose(touching.gram(jnp.asarray(values)), gram, atol=1e-12)
        between = np.einsum("gkf,fh,glh->gkl", dense, square, dense)
        found = touching.sandwich(jnp.asarray(values), jnp.asarray(square))
        np.testing.assert_allclose(found, between, atol=1e-9)


def test_the_gradient_of_the_log_determinant_is_the_inverse() -> None:
    random = np.random.default_rng(1)
    with jax.enable_x64(True):
        dense, _ = block_tridiagonal(random, 6, 2)
        cut = dense.reshape(6, 2, 6, 2)
        diagonal = jnp.asarray(np.stack([cut[i, :, i] for i in range(6)]))
        below = jnp.asarray(np.stack([cut[i + 1, :, i] for i in range(5)]))
        slope = jax.grad(lambda d: BlockTridiagonal.of(d, below).log_det)(diagonal)
        inverse = np.linalg.inv(dense).reshape(6, 2, 6, 2)
        blocks = np.stack([inverse[i, :, i] for i in range(6)])
        symmetric = 0.5 * (slope + jnp.swapaxes(slope, 1, 2))
        np.testing.assert_allclose(symmetric, blocks, atol=1e-8)


def test_a_matrix_that_is_not_positive_definite_has_no_log_determinant() -> None:
    assert np.isnan(BlockDiagonal.of(-jnp.ones((2, 1, 1))).log_det)
