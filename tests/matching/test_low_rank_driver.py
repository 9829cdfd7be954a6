"""Low-rank batch and match: exact on Gaussians of its form, at ease with others."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from taut.gaussian import LowRankNormal
from taut.matching import leap_and_patch
from taut.matching.driver import SAME, SETTLED

pytestmark = pytest.mark.statistical


@dataclass(frozen=True)
class Target:
    """The density of a Gaussian of the form, and its gradient."""

    true: LowRankNormal

    def __call__(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        slopes = -self.solve(z - self.true.mean)
        log_det = np.log(self.true.diagonal).sum() + np.linalg.slogdet(self.inner)[1]
        log_det += len(self.true.mean) * np.log(2 * np.pi)
        return 0.5 * (np.sum((z - self.true.mean) * slopes, axis=1) - log_det), slopes

    @property
    def inner(self) -> np.ndarray:
        factor = self.true.factor
        return np.eye(factor.shape[1]) + factor.T @ (factor / self.true.diagonal[:, None])

    def solve(self, rows: np.ndarray) -> np.ndarray:
        """Multiply rows by the precision."""
        scaled = rows / self.true.diagonal
        along = np.linalg.solve(self.inner, (scaled @ self.true.factor).T).T
        return scaled - along @ (self.true.factor / self.true.diagonal[:, None]).T

    def divergence(self, q: LowRankNormal) -> float:
        """KL from q to the Gaussian."""
        own = self.peak(q) - self.peak(self.true)
        away = q.mean - self.true.mean
        weighed = self.solve(np.sqrt(q.diagonal) * np.eye(len(away)))
        trace = np.sum(np.sqrt(q.diagonal) * np.diag(weighed))
        trace += np.sum(q.factor.T * self.solve(q.factor.T))
        return own + 0.5 * (trace - len(away) + away @ self.solve(away[None])[0])

    @staticmethod
    def peak(q: LowRankNormal) -> float:
        """Log density of a member at its mean."""
        return float(q.push(np.zeros((1, q.noise_size)))[1][0])


def target(dim: int, rank: int, condition: float, seed: int = 0) -> Target:
    """Make one with scales spread over up to 1e3, and variances along directions up to this."""
    rng = np.random.default_rng(seed)
    spread = np.log(min(condition, 1e3))
    scale = np.exp(spread * rng.uniform(-0.5, 0.5, dim))
    axes = np.linalg.qr(rng.normal(size=(dim, rank)))[0]
    factor = scale[:, None] * axes * np.sqrt(np.geomspace(1.0, condition, rank))
    return Target(LowRankNormal(3.0 * rng.normal(size=dim), scale**2, factor))


def fit(
    gradients: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], dim: int, rank: int
) -> tuple[LowRankNormal, str, int]:
    """Fit from a standard normal; give what is reached, why it ends, and iterations."""
    rng = np.random.default_rng(1)
    q = LowRankNormal(np.zeros(dim), np.ones(dim), 0.01 * rng.normal(size=(dim, rank)))
    steps, count = leap_and_patch(gradients, q, rng, 32), 0
    while True:
        try:
            q, count = next(steps).normal, count + 1
        except StopIteration as stop:
            return q, stop.value, count


def std(q: LowRankNormal) -> np.ndarray:
    return np.sqrt(q.diagonal + np.sum(q.factor**2, axis=1))


# Dimensions, directions of the target, and of the fit.
SIZES = [
    *((1, 1, 1), (10, 2, 2), (10, 2, 5), (10, 10, 10), (100, 5, 5), (100, 2, 10)),
    pytest.param(1000, 10, 10, marks=pytest.mark.slow),
]


@pytest.mark.parametrize("condition", [1.0, 1e2, 1e4, 1e6])
@pytest.mark.parametrize(("dim", "true", "rank"), SIZES)
def test_a_gaussian_of_the_form_is_found(dim: int, true: int, rank: int, condition: float) -> None:
    """It ends where log p - log q varies by less than 1e-4 nats, which is a KL of 5e-9."""
    gradients = target(dim, true, condition)
    q, why, count = fit(gradients, dim, rank)
    assert why == SAME
    # Six are enough up to conditions of 100; 640 gradients at 1 000 dimensions and 1e6.
    assert count <= 15
    assert abs(gradients.divergence(q)) < 1e-6
    np.testing.assert_allclose(std(q) / std(gradients.true), 1.0, rtol=1e-3)


def test_a_diagonal_is_found_by_a_fit_with_directions_to_spare() -> None:
    diagonal = target(300, 1, 1e4)
    none = LowRankNormal(diagonal.true.mean, diagonal.true.diagonal, np.zeros((300, 1)))
    q, why, _ = fit(Target(none), 300, 10)
    assert why == SAME
    assert abs(Target(none).divergence(q)) < 1e-6


def test_where_leaps_do_not_help_the_fit_settles() -> None:
    """Student's t in every dimension of the whitened space: no Gaussian has its scores."""
    nu = 10.0
    form = target(30, 2, 1e2)

    def gradients(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        away = (z - form.true.mean) / np.sqrt(form.true.diagonal)
        slopes = -(nu + 1) * away / (nu + away**2) / np.sqrt(form.true.diagonal)
        return -(nu + 1) / 2 * np.log1p(away**2 / nu).sum(axis=1), slopes

    q, why, _ = fit(gradients, 30, 3)
    assert why == SETTLED
    scale = np.sqrt(form.true.diagonal)
    # The best Gaussian is 1.1 wide; batches of 32 leave means a noise of a few hundredths.
    np.testing.assert_allclose((q.mean - form.true.mean) / scale, 0.0, atol=0.2)
    np.testing.assert_allclose(std(q) / scale, 1.1, atol=0.2)


def test_a_start_without_a_density_is_left_to_the_steps_that_narrow_it() -> None:
    form = target(3, 1, 10.0)

    def gradients(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, slopes = form(z)
        values[np.abs(z - form.true.mean).max(axis=1) > 8.0] = np.nan
        return values, slopes

    q, why, _ = fit(gradients, 3, 2)
    assert why in (SAME, SETTLED)
    assert form.divergence(q) < 0.05
