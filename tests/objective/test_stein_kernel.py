"""Kernels and the Stein operator: against autodiff, PyMC's own kernel, and what they must be."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.variational.test_functions import rbf

from taut.objective import IMQ, RBF, AbstractKernel, as_kernel


@pytest.fixture(autouse=True)
def in_64_bits() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def points(n: int = 40, dim: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, dim))


def median(x: np.ndarray) -> float:
    return float(np.median(((x[:, None] - x[None]) ** 2).sum(-1)))


@pytest.mark.parametrize(
    ("kernel", "function"),
    [
        (RBF(), lambda h: lambda x, y: jnp.exp(-0.5 * jnp.sum((x - y) ** 2) / h)),
        (IMQ(), lambda h: lambda x, y: (1 + jnp.sum((x - y) ** 2) / h) ** -0.5),
    ],
    ids=["RBF", "IMQ"],
)
def test_matrices_of_pairs_agree_with_autodiff(kernel: AbstractKernel, function: object) -> None:
    x, score = points(), points(seed=1)
    h = 0.5 * median(x) / np.log(41) if isinstance(kernel, RBF) else median(x)
    ours = kernel.stein(jnp.asarray(x), jnp.asarray(score))
    plain = as_kernel(function(h)).stein(jnp.asarray(x), jnp.asarray(score))
    for one, other in zip(ours, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_rbf_is_pymcs() -> None:
    """PyMC's kernel gives K and the sum of its gradients; the median is over the same pairs."""
    x, score = points(), points(seed=1)
    matrix = pt.matrix()
    k, gradient = pytensor.function([matrix], rbf(matrix), mode="FAST_COMPILE")(x)
    pull, push, _ = RBF().stein(jnp.asarray(x), jnp.asarray(score))
    np.testing.assert_allclose(pull, k @ score / 40, rtol=1e-10)
    np.testing.assert_allclose(push, gradient / 40, rtol=1e-8)


@pytest.mark.parametrize("kernel", [RBF(), IMQ()], ids=["RBF", "IMQ"])
def test_discrepancy_is_small_for_draws_of_the_target_alone(kernel: AbstractKernel) -> None:
    """The score of a standard normal is -x; draws that are shifted by one do not fit it.

    Each point with itself adds (|s|^2 + dim/h)/n = 0.027 for the RBF kernel, so 400 draws of the
    target do not reach zero; the shift gives 0.2.
    """
    x = points(400, 2)
    right = kernel.stein(jnp.asarray(x), jnp.asarray(-x))[2]
    wrong = kernel.stein(jnp.asarray(x), jnp.asarray(-(x + 1.0)))[2]
    assert 0 <= right < 0.25 * wrong


def test_equal_points_have_a_scale() -> None:
    x = jnp.ones((5, 2))
    for part in RBF().stein(x, -x):
        assert np.isfinite(part).all()


def test_a_kernel_is_taken_as_it_is() -> None:
    kernel = IMQ()
    assert as_kernel(kernel) is kernel


@pytest.mark.parametrize("size", [1, 2, 3, 10, 101, 5000])
def test_the_median_is_numpys(size: int) -> None:
    from taut.objective.stein_kernel import _median

    values = np.random.default_rng(size).exponential(size=size) ** 3
    assert float(_median(jnp.asarray(values))) == pytest.approx(np.median(values), rel=1e-14)
