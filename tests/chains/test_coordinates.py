"""Coordinates are inverted, their gradients are those of what they say, and they keep a target."""

from collections.abc import Callable

import numpy as np
import pytest

from taut.chains import Linear
from taut.chains.coordinates import Composed, Coordinates, Coupled
from taut.chains.heavy_tails import Tailed
from taut.gaussian import DenseNormal, ScaledLowRankNormal

DIM = 4


def linear() -> Linear:
    rng = np.random.default_rng(1)
    half = rng.normal(size=(DIM, DIM))
    return Linear(DenseNormal.of(rng.normal(size=DIM), half @ half.T + np.eye(DIM)))


def coupled() -> Coupled:
    """Elements 0 and 2 drive 1 and 3, by scale and by place."""
    slope, curve = np.zeros((2, DIM)), np.zeros((2, DIM))
    slope[:, [1, 3]] = [[0.7, -0.2], [0.1, 0.4]]
    curve[:, [1, 3]] = [[0.0, 0.5], [-0.3, 0.2]]
    return Coupled(np.array([0, 2]), np.array([0.0, 0.3, 0.0, -0.5]), slope, curve)


def tailed() -> Tailed:
    """Elements 3, 0 and 2 have tails."""
    scale = np.array([1.0, 0.5, 2.0])
    weight = np.array([[0.0, 0.3, 0.4], [0.2, 0.0, 0.3], [0.5, 0.4, 1e-6]])
    return Tailed.of(DIM, np.array([3, 0, 2]), np.arange(3) / 3.0, scale, weight)


def composed() -> Composed:
    stretched = ScaledLowRankNormal.diagonal(np.arange(DIM) / 2.0, np.exp(np.arange(DIM) / 4.0))
    return Composed((linear(), Linear(stretched), coupled(), tailed(), linear()))


MAPS: dict[str, Callable[[], Coordinates]] = {
    "linear": linear, "coupled": coupled, "tailed": tailed, "composed": composed,
}  # fmt: skip
each_map = pytest.mark.parametrize("name", MAPS)


def points(count: int = 5) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(count, DIM))


def log_p(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Some function, with its gradient."""
    return -0.25 * (z**4).sum(axis=1) + z[:, 0] * z[:, 1], -(z**3) + np.column_stack(
        [z[:, 1], z[:, 0], np.zeros((len(z), 2))]
    )


@each_map
def test_whitening_inverts_pushing(name: str) -> None:
    coordinates, x = MAPS[name](), points()
    np.testing.assert_allclose(coordinates.whiten(coordinates.push(x)[0]), x, atol=1e-10)


@each_map
def test_the_log_determinant_is_that_of_the_jacobian(name: str) -> None:
    """By central differences, whose error is of the order of 1e-9 here."""
    coordinates, step = MAPS[name](), 1e-5
    for x in points():
        around = x + step * np.concatenate([np.eye(DIM), -np.eye(DIM)])
        z = coordinates.push(around)[0]
        jacobian = (z[:DIM] - z[DIM:]) / (2 * step)
        expected = np.linalg.slogdet(jacobian)[1]
        assert coordinates.push(x[None])[1][0] == pytest.approx(expected, abs=1e-7)


@each_map
def test_pulled_gradients_are_those_of_the_density_in_the_coordinates(name: str) -> None:
    """By central differences, whose error is 1e-8 of values of up to some thousand."""
    coordinates, step = MAPS[name](), 1e-5

    def value(x: np.ndarray) -> np.ndarray:
        z, log_det = coordinates.push(x)
        return log_p(z)[0] + log_det

    for x in points():
        around = x + step * np.concatenate([np.eye(DIM), -np.eye(DIM)])
        values = value(around)
        expected = (values[:DIM] - values[DIM:]) / (2 * step)
        slopes = log_p(coordinates.push(x[None])[0])[1]
        np.testing.assert_allclose(
            coordinates.pull(x[None], slopes)[0], expected, rtol=1e-5, atol=1e-5
        )
