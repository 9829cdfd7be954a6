"""Compiled gradients are those of the density: by PyTensor, and by differences."""

import numpy as np
import pymc as pm
import pytest

import taut
from taut.engine import Timing
from taut.gradients import Gradients


def process(covariance: str) -> pm.Model:
    """A Gaussian process: distances that are 0 on the diagonal, under a root."""
    random = np.random.default_rng(1)
    x = np.sort(random.uniform(0, 8, 40))[:, None]
    with pm.Model() as model:
        scale = pm.Gamma("scale", 2, 1)
        process = pm.gp.Marginal(cov_func=getattr(pm.gp.cov, covariance)(1, scale))
        process.marginal_likelihood("y", X=x, y=np.sin(x[:, 0]), sigma=pm.HalfNormal("sigma", 1))
    return model


@pytest.mark.parametrize(
    "covariance", ["Matern12", "Matern32", "Matern52", "ExpQuad", "Exponential"]
)
def test_gradients_of_a_process_are_those_of_pytensor(covariance: str) -> None:
    """Without one of XLA's passes those of a Matérn covariance were off by a factor of 90.

    PyTensor's own pass through a constant in 32 bits, for some covariances.
    """
    model = process(covariance)
    gradients = Gradients(taut.as_target(model), Timing())
    by_pytensor = model.compile_dlogp()
    points = np.array([[0.0, -0.5], [1.0, 0.5], [-1.5, 0.0], [-4.0, 0.3]])
    _, slopes = gradients(points)
    for point, slope in zip(points, slopes, strict=True):
        expected = by_pytensor({"scale_log__": point[0], "sigma_log__": point[1]})
        np.testing.assert_allclose(slope, expected, rtol=1e-5, atol=1e-5)


def test_gradients_are_those_of_differences() -> None:
    gradients = Gradients(taut.as_target(process("Matern52")), Timing())
    point, step = np.array([0.3, -0.2]), 1e-5
    beside = point + step * np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    values = gradients(beside)[0]
    by_difference = np.array([values[0] - values[1], values[2] - values[3]]) / (2 * step)
    np.testing.assert_allclose(gradients(point[None])[1][0], by_difference, rtol=1e-4)
