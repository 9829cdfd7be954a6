"""What becomes of chains that have not settled."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from taut.chains import Linear, Window
from taut.chains.control_variates import Correction, Said
from taut.gaussian import ScaledLowRankNormal
from taut.method.verification import _is_sound

NEAR = ScaledLowRankNormal.diagonal(np.zeros(2), np.ones(2))


def window(draws: np.ndarray) -> Window:
    """Make a window of draws, of which gradients say nothing."""
    mean, chains, none = draws.mean(axis=(0, 1)), draws.shape[1], np.empty((0, draws.shape[2]))
    correction = Correction(Linear(NEAR), mean, mean, np.ones(len(mean)), draws.mean(axis=0))
    return Window(draws, np.full(chains, 0.8), Said(correction, True, 0 * mean), none, none)


@pytest.mark.parametrize(
    ("place", "height", "sound"), [(5.0, -100.0, True), (30.0, 60.0, True), (30.0, -60.0, False)]
)
def test_chains_far_away_are_kept_where_the_density_is_higher(
    place: float, height: float, *, sound: bool
) -> None:
    """The density around the Gaussian is at its own height; far from it at another, on a ring.

    No Gaussian fits a ring: by the ELBO of one the chains would always lose.
    """
    random = np.random.default_rng(1)
    angle = random.uniform(0.0, 2 * np.pi, (20, 64))
    ring = place + 3.0 * np.stack([np.cos(angle), np.sin(angle)], axis=2)

    def gradients(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        radius = np.linalg.norm(z - place, axis=1)
        on_ring = height - 0.5 * ((radius - 3.0) / 0.01) ** 2
        return np.maximum(on_ring, -0.5 * (z**2).sum(axis=1)), z

    problem = SimpleNamespace(random=random, gradients=gradients)
    assert _is_sound(problem, NEAR, window(ring), 0.0) is sound  # pyright: ignore


def test_draws_that_are_not_finite_are_none() -> None:
    some, lost = window(np.zeros((20, 64, 2))), np.zeros((20, 64, 2))
    lost[3, 5, 1] = np.inf
    problem = SimpleNamespace(random=np.random.default_rng(1), gradients=None)
    assert _is_sound(problem, NEAR, some, 0.0)  # pyright: ignore
    assert not _is_sound(problem, NEAR, replace(some, draws=lost), 0.0)  # pyright: ignore
