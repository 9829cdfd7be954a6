"""Coordinates learnt from draws: what drives is found, nothing is where nothing is, chains mix."""

import numpy as np
import pytest

from cases import regression
from taut.chains import Chains, Linear, adapted, starting_from
from taut.chains.coordinates import Composed, Coupled
from taut.chains.coupling import couple
from taut.engine import Timing
from taut.gaussian import DenseNormal, ScaledLowRankNormal
from taut.gradients import Gradients

from .plain import Plain

pytestmark = pytest.mark.statistical

DRAWS, CHAINS, DIM = 40, 64, 8


def standard(dim: int = DIM, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(DRAWS * CHAINS, dim))


def funnel(slope: float) -> np.ndarray:
    """The third element is the logarithm of the scale of those after it."""
    x = standard()
    x[:, 3:] *= np.exp(slope * x[:, 2:3])
    return x


def scaled(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(axis=0)) / x.std(axis=0)


def independent(x: np.ndarray) -> np.ndarray:
    return np.full(x.shape[1], float(len(x)))


@pytest.mark.parametrize("seed", range(5))
def test_nothing_drives_where_nothing_does(seed: int) -> None:
    x = scaled(standard(60, seed))
    assert couple(x, independent(x)) is None


@pytest.mark.parametrize("slope", [0.3, 0.6, 1.0])
def test_a_driver_of_scales_is_found(slope: float) -> None:
    """2 560 draws: a slope has a standard error of 0.014, three times that with heavy tails."""
    x = scaled(funnel(slope))
    coupled = couple(x, independent(x))
    assert coupled is not None
    assert coupled.drivers.tolist() == [2]
    np.testing.assert_allclose(coupled.slope[0, 3:], slope, atol=0.05)
    assert not coupled.slope[0, :3].any()
    # What is left has the log size of a standard normal, whose variance is pi² / 8; its standard
    # error is 5 per cent, four of them are allowed.
    left = np.log(np.abs(coupled.whiten(x)[:, 3:]))
    np.testing.assert_allclose(left.var(axis=0), np.pi**2 / 8, rtol=0.2)


def test_a_driver_of_a_place_is_found() -> None:
    x = standard()
    x[:, 5] += 0.8 * (x[:, 1] ** 2 - 1.0)
    coupled = couple(scaled(x), independent(x))
    assert coupled is not None
    assert coupled.drivers.tolist() == [1]
    # Scaled by the standard deviation it has, sqrt(1 + 2 * 0.64).
    assert coupled.curve[0, 5] == pytest.approx(0.8 / np.sqrt(2.28), abs=0.03)


def test_a_second_driver_is_found_behind_the_first() -> None:
    x = standard()
    x[:, 4] *= np.exp(0.4 * x[:, 1])
    x[:, 3:] *= np.exp(0.9 * x[:, :1])
    coupled = couple(scaled(x), independent(x))
    assert coupled is not None
    assert coupled.drivers.tolist() == [0, 1]
    assert coupled.slope[1, 4] == pytest.approx(0.4, abs=0.06)


def test_few_effective_draws_show_nothing() -> None:
    x = scaled(funnel(0.3))
    assert couple(x, np.full(DIM, 20.0)) is None


def test_chains_in_learnt_coordinates_see_the_whole_funnel() -> None:
    """Neal's funnel, whose neck chains in linear coordinates do not enter.

    Each chain is worth two draws and more: the noise of the mean is 0.1 standard
    deviations, that of the standard deviation less; three of these are allowed.
    """

    def log_density(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        v, rest = z[:, :1], z[:, 1:]
        square = np.exp(-v) * rest**2
        value = -0.5 * (v[:, 0] ** 2 / 9.0 + square.sum(axis=1)) - 0.5 * (DIM - 1) * v[:, 0]
        slope_v = -v / 9.0 + 0.5 * square.sum(axis=1, keepdims=True) - 0.5 * (DIM - 1)
        return value, np.column_stack([slope_v, -np.exp(-v) * rest])

    random = np.random.default_rng(1)
    begin = Linear(ScaledLowRankNormal.diagonal(np.zeros(DIM), np.ones(DIM)))
    chains = Chains(Plain(log_density), begin, random.normal(size=(CHAINS, DIM)), random)  # type: ignore[arg-type]
    window = chains.run(40)
    for _ in range(3):
        chains.precondition(adapted(begin, window.draws))
        chains.run(40)
        window = chains.run(80)
    assert window.draws_each.min() > 2.3
    assert window.pooled[:, 0].mean() == pytest.approx(0.0, abs=0.9)
    assert np.log(window.pooled[:, 0].std() / 3.0) == pytest.approx(0.0, abs=0.3)


def test_directions_are_learnt_where_draws_show_them() -> None:
    """Uncorrelated coordinates of a correlated Gaussian: what is left is nearly white."""
    model = regression(5)
    random = np.random.default_rng(1)
    std = np.sqrt(np.diag(model.posterior_cov))
    exact = DenseNormal.of(model.posterior_mean, model.posterior_cov)
    visited = exact.draw(random, DRAWS * CHAINS)[0].reshape(DRAWS, CHAINS, 5)
    learnt = adapted(Linear(ScaledLowRankNormal.diagonal(model.posterior_mean, std)), visited)
    assert isinstance(learnt, Composed)
    assert not any(isinstance(part, Coupled) for part in learnt.parts)
    fresh = learnt.whiten(exact.draw(random, 4000)[0])
    values = np.linalg.eigvalsh(np.cov(fresh.T))
    assert values[0] > 0.8
    assert values[-1] < 1.25
    gradients = Gradients(model.target(), Timing())
    assert Chains(gradients, learnt, visited[0], random).run(20).accepted.mean() > 0.7


@pytest.mark.parametrize(("true", "is_kept"), [(0.9, True), (0.0, False), (-0.9, False)])
def test_correlations_are_kept_where_draws_have_them(true: float, *, is_kept: bool) -> None:
    """A Gaussian says that two elements are correlated; chains have gone elsewhere since."""
    cov = np.eye(4)
    cov[0, 1] = cov[1, 0] = true
    draws = np.random.default_rng(1).multivariate_normal(np.full(4, 3.0), cov, size=2_000)
    said = np.eye(4)
    said[0, 1] = said[1, 0] = 0.9
    gradients = Gradients(regression(4).target(), Timing())
    begin = starting_from(gradients, DenseNormal.of(np.zeros(4), said), draws)
    assert isinstance(begin, Linear)
    assert isinstance(begin.normal, DenseNormal)
    np.testing.assert_allclose(begin.normal.cov, said if is_kept else np.eye(4), atol=1e-12)
