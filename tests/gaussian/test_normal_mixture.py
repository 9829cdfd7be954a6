"""Mixtures of Gaussians on the host."""

import jax
import numpy as np

from cases import dense_normal, low_rank_normal
from taut.gaussian import NormalMixture

MIXTURE = NormalMixture((dense_normal(5), low_rank_normal(5)), np.array([0.25, 0.75]))


def test_the_density_is_that_of_the_family() -> None:
    z = MIXTURE.draw(np.random.default_rng(0), 20)
    with jax.enable_x64(True):
        theirs = jax.vmap(MIXTURE.family("float64").log_prob)(z)
    np.testing.assert_allclose(MIXTURE.log_prob(z), theirs, rtol=1e-8)


def test_draws_have_the_mean() -> None:
    """At five standard errors."""
    z = MIXTURE.draw(np.random.default_rng(1), 20_000)
    with jax.enable_x64(True):
        family = MIXTURE.family("float64")
        mean, std = np.asarray(family.mean()), np.asarray(family.std())
    assert np.all(np.abs(z.mean(axis=0) - mean) < 5.0 * std / np.sqrt(20_000))
