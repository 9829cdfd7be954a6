"""What holds for every Gaussian on the host, by closed forms of NumPy and SciPy."""

from functools import singledispatch
from typing import Any

import jax
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cases import FAMILIES, GAUSSIAN, NORMALS
from taut.gaussian import (
    DenseNormal,
    LowRankNormal,
    Normal,
    ScaledLowRankNormal,
    as_dense,
    as_normal,
)

# Standard errors by which estimates may be off: by chance one number in 1.7 million is farther.
ERRORS = 5.0
DRAWS = 40_000
# Of double precision, at the condition numbers of the drawn members.
CLOSE: dict[str, Any] = {"rtol": 1e-8, "atol": 1e-8}

each_normal = pytest.mark.parametrize("name", NORMALS)
property_based = settings(max_examples=25, deadline=None)
# Means of any size, and factors of the spread from 1e-3 to 1e3, evenly by their order of magnitude.
MEANS, EXPONENTS = st.floats(-1e3, 1e3), st.floats(-3.0, 3.0)
# Numbers without the smallest, whose squares are zero.
ROWS = st.one_of(st.floats(-3.0, -1e-3), st.floats(1e-3, 3.0), st.just(0.0))


@singledispatch
def covariance(normal: Normal) -> np.ndarray:
    """Write the covariance out by the formula of each class."""
    raise AssertionError(f"{type(normal).__name__} has no formula")


@covariance.register
def _(normal: DenseNormal) -> np.ndarray:
    return np.einsum("ik,jk->ij", normal.root, normal.root)


@covariance.register
def _(normal: ScaledLowRankNormal) -> np.ndarray:
    directions = normal.directions
    inner = np.eye(len(directions)) + (directions * (normal.stretch**2 - 1.0)) @ directions.T
    return np.diag(normal.scale) @ inner @ np.diag(normal.scale)


@covariance.register
def _(normal: LowRankNormal) -> np.ndarray:
    return np.diag(normal.diagonal) + normal.factor @ normal.factor.T


def member(name: str, data: st.DataObject) -> Normal:
    """Draw a place and spreads for a row of the table."""
    normal = NORMALS[name]()
    dim = len(normal.mean)
    factor = 10.0 ** data.draw(arrays(float, dim, elements=EXPONENTS))
    return normal.moved(data.draw(arrays(float, dim, elements=MEANS)), factor)


def rows(data: st.DataObject, size: int) -> np.ndarray:
    """Draw three rows."""
    return data.draw(arrays(float, (3, size), elements=ROWS))


@each_normal
@given(data=st.data())
@property_based
def test_the_root_is_one_of_the_covariance(name: str, data: st.DataObject) -> None:
    """Colouring and pulling are each other's transpose, and together the covariance."""
    normal = member(name, data)
    cov = covariance(normal)
    std = np.sqrt(np.diag(cov))
    x, slopes = rows(data, normal.noise_size), rows(data, len(std)) / std
    there, here = (normal.color(x) * slopes).sum(axis=1), (x * normal.pull(slopes)).sum(axis=1)
    np.testing.assert_allclose(there, here, **CLOSE)
    np.testing.assert_allclose(normal.color(normal.pull(slopes)) / std, slopes @ cov / std, **CLOSE)
    squares = [normal.squared_length(slope) for slope in slopes]
    np.testing.assert_allclose(squares, np.einsum("si,ij,sj->s", slopes, cov, slopes), **CLOSE)
    np.testing.assert_allclose(normal.std, std, rtol=1e-10)


@each_normal
@given(data=st.data())
@property_based
def test_the_density_is_scipys(name: str, data: st.DataObject) -> None:
    """Scales are taken out first, so that SciPy meets no bad condition number."""
    normal = member(name, data)
    std = normal.std
    cov = covariance(normal) / np.outer(std, std)
    x = rows(data, normal.noise_size)
    z, log_q = normal.push(x)
    np.testing.assert_array_equal(z, normal.mean + normal.color(x))
    inner = scipy.stats.multivariate_normal(np.zeros(len(std)), cov)
    theirs = inner.logpdf(normal.color(x) / std) - np.log(std).sum()
    np.testing.assert_allclose(log_q, np.atleast_1d(theirs), **CLOSE)
    assert normal.log_det == pytest.approx(
        0.5 * np.linalg.slogdet(cov)[1] + np.log(std).sum(), abs=1e-9
    )


@each_normal
@given(data=st.data())
@property_based
def test_whitening_finds_the_shortest_noise_of_a_point(name: str, data: st.DataObject) -> None:
    # Around zero, so that the distance from the mean keeps its digits.
    normal = member(name, data).moved(np.zeros(len(NORMALS[name]().mean)), np.ones(1))
    std = normal.std
    z = rows(data, len(std)) * std
    x = normal.whiten(z)
    pushed, log_q = normal.push(x)
    np.testing.assert_allclose(pushed / std, z / std, **CLOSE)
    np.testing.assert_allclose(normal.log_prob(z), log_q, rtol=1e-8, atol=1e-6)
    scaled = covariance(normal) / np.outer(std, std)
    squares = np.einsum("si,si->s", z / std, np.linalg.solve(scaled, (z / std).T).T)
    np.testing.assert_allclose((x**2).sum(axis=1), squares, rtol=1e-7, atol=1e-7)


@each_normal
@given(data=st.data())
@property_based
def test_moving_changes_means_and_spreads_and_no_correlation(
    name: str, data: st.DataObject
) -> None:
    normal = NORMALS[name]()
    dim = len(normal.mean)
    mean = data.draw(arrays(float, dim, elements=MEANS))
    factor = 10.0 ** data.draw(arrays(float, dim, elements=EXPONENTS))
    moved, cov = normal.moved(mean, factor), covariance(normal)
    np.testing.assert_array_equal(moved.mean, mean)
    np.testing.assert_allclose(covariance(moved), np.outer(factor, factor) * cov, rtol=1e-8)
    assert moved.log_det == pytest.approx(normal.log_det + np.log(factor).sum(), abs=1e-9)
    np.testing.assert_allclose(covariance(normal.scaled(3.0)), 9.0 * cov)
    assert type(moved) is type(normal)


@each_normal
def test_draws_are_noise_that_is_pushed_and_have_the_moments(name: str) -> None:
    normal = NORMALS[name]()
    z, log_q = normal.draw(np.random.default_rng(1), DRAWS)
    noise = np.random.default_rng(1).normal(size=(DRAWS, normal.noise_size))
    np.testing.assert_array_equal(z, normal.push(noise)[0])
    np.testing.assert_allclose(log_q, normal.log_prob(z), rtol=1e-8, atol=1e-8)
    away = z - normal.mean
    assert np.all(np.abs(away.mean(axis=0)) < ERRORS * normal.std / np.sqrt(DRAWS))
    products = away[:, :, None] * away[:, None, :]
    error = products.std(axis=0) / np.sqrt(DRAWS)
    assert np.all(np.abs(products.mean(axis=0) - covariance(normal)) < ERRORS * error)


@each_normal
def test_written_out_it_is_the_same_with_a_cholesky_factor(name: str) -> None:
    normal = NORMALS[name]()
    dense = as_dense(normal)
    np.testing.assert_allclose(dense.root, np.linalg.cholesky(covariance(normal)), atol=1e-10)
    np.testing.assert_allclose(dense.cov, covariance(normal), atol=1e-10)
    assert dense.log_det == pytest.approx(normal.log_det)
    assert as_dense(dense) is dense


@each_normal
@pytest.mark.parametrize(("dtype", "close"), [("float64", 1e-10), ("float32", 2e-4)])
def test_its_family_is_the_same_gaussian(name: str, dtype: str, close: float) -> None:
    normal = NORMALS[name]()
    family, cov = normal.family(dtype), covariance(normal)
    assert {leaf.dtype for leaf in jax.tree.leaves(family)} == {np.dtype(dtype)}
    np.testing.assert_allclose(family.mean(), normal.mean, rtol=1e-5)
    np.testing.assert_allclose(family.cov(), cov, rtol=close, atol=close * np.abs(cov).max())
    back = as_normal(family)
    assert back is not None
    np.testing.assert_allclose(covariance(back), cov, rtol=close, atol=close * np.abs(cov).max())


@each_normal
def test_what_is_not_a_number_is_seen(name: str) -> None:
    normal = NORMALS[name]()
    dim = len(normal.mean)
    assert normal.is_finite
    assert not normal.moved(np.full(dim, np.nan), np.ones(dim)).is_finite
    with np.errstate(all="ignore"):
        assert not normal.moved(normal.mean, np.full(dim, np.inf)).is_finite
        # Squares of its draws would be infinite, where nothing has fallen off.
        assert not normal.moved(normal.mean, np.full(dim, 1e160)).is_finite


@pytest.mark.parametrize("name", FAMILIES)
def test_every_gaussian_family_is_one_on_the_host_with_its_density(name: str) -> None:
    """What is no Gaussian would have another one."""
    family = FAMILIES[name]()
    normal = as_normal(family)
    if normal is None:
        assert name not in GAUSSIAN
        return
    np.testing.assert_allclose(normal.mean, family.mean(), rtol=1e-12)
    np.testing.assert_allclose(covariance(normal), family.cov(), rtol=1e-9, atol=1e-12)
    z = normal.draw(np.random.default_rng(2), 5)[0]
    theirs = jax.vmap(family.log_prob)(z)
    np.testing.assert_allclose(normal.log_prob(z), theirs, rtol=1e-8, atol=1e-8)
