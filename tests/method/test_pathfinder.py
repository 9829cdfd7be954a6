"""Pathfinder: one path, several, and some that fail."""

import jax.numpy as jnp
import numpy as np
import pytest

import taut
from cases import regression
from taut.errors import NotFiniteError
from taut.family import Mixture, Particles, ScaledLowRank
from taut.target import Space

pytestmark = pytest.mark.statistical

MODEL = regression(5)
STD = np.sqrt(np.diag(MODEL.posterior_cov))


def pathfinder(seed: int = 1, **how: object) -> taut.Approximation:
    return taut.Pathfinder(model=MODEL.target(), random_seed=seed, **how).fit(progressbar=False)  # pyright: ignore[reportArgumentType]


def test_one_path_gives_a_gaussian_of_the_right_scale() -> None:
    """Six pairs are remembered, of 5 dimensions: nearly the whole Hessian."""
    approx = pathfinder(paths=1)
    assert isinstance(approx.family, ScaledLowRank)
    with approx.target.precision():
        assert np.abs((approx.family.mean() - MODEL.posterior_mean) / STD).max() < 0.3
        np.testing.assert_allclose(approx.family.std() / STD, 1.0, atol=0.4)


def test_several_paths_give_draws_of_the_posterior() -> None:
    """4 000 draws by weights of a mixture near the posterior: noise under 0.02 sd of a mean."""
    approx = pathfinder(paths=8)
    assert isinstance(approx.family, Particles)
    points = np.asarray(approx.family.histogram)
    assert np.abs((points.mean(axis=0) - MODEL.posterior_mean) / STD).max() < 0.1
    np.testing.assert_allclose(points.std(axis=0) / STD, 1.0, atol=0.08)
    assert approx.stopped is not None
    assert "8 of 8 paths" in approx.stopped


def test_without_weights_the_mixture_is_the_result() -> None:
    approx = pathfinder(paths=3, importance=False)
    assert isinstance(approx.family, Mixture)
    assert len(approx.family.parts) == 3


def test_paths_that_fail_are_left_out() -> None:
    """The density is defined above -1 alone, and paths begin up to 2 away from 0."""

    def density(z, data, batch):
        return jnp.where(z[0] > -1.0, -0.5 * ((z[0] - 2) / 0.2) ** 2, jnp.nan), 0.0

    target = taut.Target(density, Space.of({"z": (1,)}))
    approx = taut.Pathfinder(model=target, random_seed=3).fit(progressbar=False)
    assert approx.stopped is not None
    assert int(approx.stopped.split()[0]) < 8
    with target.precision():
        assert float(approx.family.mean()[0]) == pytest.approx(2.0, abs=0.02)


def test_a_density_that_rises_without_an_end_is_an_error() -> None:
    target = taut.Target(lambda z, data, batch: (jnp.sum(z), 0.0), Space.of({"z": (2,)}))
    with pytest.raises(NotFiniteError, match="No path has a Gaussian"):
        taut.Pathfinder(model=target, random_seed=1).fit(progressbar=False)
