"""Sparse designs: densities, fits and batches, against the same model with a dense matrix."""

import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pymc as pm
import pytensor.sparse as sparse
import pytensor.tensor as pt
import pytest
import scipy.sparse

import taut
from taut.errors import ArgumentError, ModelError

from .batched import mean_over_epoch, stepping, value_and_gradient
from .models import QUIET

pytestmark = QUIET
RNG = np.random.default_rng(5)
ROWS, COLUMNS = 31, 5
X = RNG.normal(size=(ROWS, COLUMNS)) * (RNG.random((ROWS, COLUMNS)) < 0.4)
# A full column; a row without entries.
X[:, 0], X[7] = 1.0, 0.0
BETA = RNG.normal(size=COLUMNS)
Y = X @ BETA + 0.5 * RNG.normal(size=ROWS)
CSR, CSC = scipy.sparse.csr_matrix(X), scipy.sparse.csc_matrix(X)
ONE_HOT = scipy.sparse.csr_matrix(np.eye(COLUMNS)[RNG.integers(0, COLUMNS, ROWS)])

WAYS: dict[str, Callable[[Any], Any]] = {
    "dot": lambda b: sparse.dot(CSR, b),
    "columns": lambda b: sparse.dot(CSC, b),
    "structured": lambda b: sparse.structured_dot(CSR, b[:, None])[:, 0],
    "method": lambda b: sparse.as_sparse_variable(CSR).dot(b[:, None])[:, 0],
    "operator": lambda b: sparse.as_sparse_variable(CSR) @ b,
    "matrix": lambda b: sparse.dot(CSR, pt.stack([b, 2.0 * b], 1))[:, 1] / 2.0,
    "from_the_left": lambda b: sparse.dot(b, sparse.as_sparse_variable(CSC).T),
    "transposed": lambda b: sparse.dot(sparse.as_sparse_variable(CSR.T.tocsr()).T, b),
    "data": lambda b: sparse.dot(pm.Data("X", CSR), b),
    "data_transposed": lambda b: sparse.dot(pm.Data("X", CSR.T.tocsr()).T, b),
    "scaled": lambda b: sparse.dot(sparse.as_sparse_variable(CSR) * 2.0, b) / 2.0,
    "made_dense": lambda b: sparse.dense_from_sparse(sparse.as_sparse_variable(CSR)) @ b,
    "twice": lambda b: sparse.dot(CSR, sparse.dot(scipy.sparse.eye(COLUMNS, format="csr"), b)),
}  # fmt: skip


def regression(linear: Callable[[Any], Any]) -> pm.Model:
    with pm.Model() as model:
        beta = pm.Normal("beta", shape=COLUMNS)
        pm.Normal("y", linear(beta), 0.5, observed=Y)
    return model


def of(matrix: Any) -> pm.Model:
    """A regression on a matrix that can be replaced."""
    return regression(lambda b: sparse.dot(pm.Data("X", matrix), b))


def by_hand(matrix: Any, z: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Compute density, gradient and Hessian by NumPy."""
    x = matrix.toarray()
    rest = (Y - x @ z) / 0.5
    value = -0.5 * (z @ z + rest @ rest) - ROWS * np.log(0.5)
    value -= 0.5 * np.log(2 * np.pi) * (ROWS + COLUMNS)
    return value, x.T @ rest / 0.5 - z, -x.T @ x / 0.25 - np.eye(COLUMNS)


def assert_is(model: pm.Model, matrix: Any) -> None:
    """Fail unless density, gradient and Hessian are those by hand, at several points at once."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="JAX can not")
        target = taut.as_target(model)
    points = np.random.default_rng(0).normal(size=(3, COLUMNS))
    with target.precision():
        values, slopes = jax.vmap(jax.value_and_grad(target.log_density))(points)
        hessians = jax.vmap(jax.hessian(target.log_density))(points)
    for z, value, slope, hessian in zip(points, values, slopes, hessians, strict=True):
        for found, right in zip((value, slope, hessian), by_hand(matrix, z), strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("way", WAYS)
def test_products_are_those_by_hand(way: str) -> None:
    assert_is(regression(WAYS[way]), CSR)


@pytest.mark.parametrize("matrix", [CSR, ONE_HOT, scipy.sparse.csr_matrix((ROWS, COLUMNS))],
                         ids=["rows of any length", "a table", "nothing"])  # fmt: skip
def test_the_matrix_is_data(matrix: Any) -> None:
    model = of(CSR)
    taut.as_target(model)
    with model:
        model["X"].set_value(matrix)
    assert_is(model, matrix)


def test_integers_count_as_floats() -> None:
    whole = scipy.sparse.csr_matrix((10 * X).astype(int))
    assert_is(regression(lambda b: sparse.dot(whole, b / 10.0)), whole / 10.0)


def test_a_new_matrix_of_the_same_shape_compiles_nothing() -> None:
    model = of(ONE_HOT)
    taut.fit(200, method="advi", model=model, progressbar=False, random_seed=1)
    count = taut.as_target(model).programs.count
    with model:
        model["X"].set_value(ONE_HOT[::-1].tocsr())
    taut.fit(200, method="advi", model=model, progressbar=False, random_seed=1)
    assert taut.as_target(model).programs.count == count


@pytest.fixture(scope="module")
def fitted() -> taut.Approximation:
    return taut.fit(of(CSR), progressbar=False, random_seed=1)


def test_a_fit_is_the_posterior(fitted: taut.Approximation) -> None:
    precision = -by_hand(CSR, np.zeros(COLUMNS))[2]
    mean = np.linalg.solve(precision, X.T @ Y / 0.25)
    std = np.sqrt(np.diag(np.linalg.inv(precision)))
    draws = fitted.sample(4000, random_seed=2)["posterior"]["beta"].values[0]
    np.testing.assert_allclose((draws.mean(0) - mean) / std, 0.0, atol=0.08)
    np.testing.assert_allclose(draws.std(0) / std, 1.0, atol=0.05)
    assert fitted.diagnose().trusted


def test_what_is_asked_of_a_fit(fitted: taut.Approximation) -> None:
    draws = fitted.sample(50, random_seed=2)
    beta = draws["posterior"]["beta"].values[0]
    density = -0.5 * ((Y - beta @ X.T) / 0.5) ** 2 - np.log(0.5 * np.sqrt(2 * np.pi))
    likelihood = fitted.log_likelihood(50, random_seed=2)["log_likelihood"]["y"].values[0]
    np.testing.assert_allclose(likelihood.mean(0), density.mean(0), atol=1.5)
    assert "constant_data" not in draws or "X" not in draws["constant_data"]
    with regression(WAYS["dot"]):
        predicted = pm.sample_posterior_predictive(draws, progressbar=False, random_seed=1)
    seen = predicted["posterior_predictive"]["y"].values[0]
    np.testing.assert_allclose(seen.mean(0), beta.mean(0) @ X.T, atol=0.4)


@pytest.mark.parametrize("way", ["dot", "columns", "data", "structured"])
def test_an_epoch_of_batches_adds_up_to_all_rows(way: str) -> None:
    dense = taut.as_target(regression(lambda b: pt.as_tensor(X) @ b))
    z = RNG.normal(size=COLUMNS)
    mean = mean_over_epoch(stepping(regression(WAYS[way]), batch_size=7), z)
    np.testing.assert_allclose(mean, value_and_gradient(dense, z), rtol=1e-10, atol=1e-10)


def test_rows_that_are_columns_are_refused_by_name() -> None:
    with pytest.raises(ModelError, match="'X' has the rows of batches along its axis 1"):
        stepping(regression(WAYS["data_transposed"]), batch_size=7)


def test_a_row_with_far_more_entries_than_others_is_refused_by_name() -> None:
    wide = scipy.sparse.lil_matrix((ROWS, 40))
    wide[3] = 1.0
    with pm.Model() as model:
        beta = pm.Normal("beta", shape=40)
        pm.Normal("y", sparse.dot(pm.Data("X", wide.tocsr()), beta), 1.0, observed=Y)
    with pytest.raises(ModelError, match="'X' can not be read in batches: a row has 40 entries"):
        stepping(model, batch_size=7)


def test_a_source_of_rows_does_not_feed_a_sparse_matrix() -> None:
    rows = taut.ArrayRows({"X": X, "y": Y})
    with pytest.raises(ArgumentError, match="'X' is a sparse matrix"):
        stepping(of(CSR), batch_size=7, rows=rows)
