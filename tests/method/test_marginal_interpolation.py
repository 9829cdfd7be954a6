"""Latents whose spread hangs on a scale that is hardly known have the posterior's marginals."""

from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pymc as pm
import pytest
import scipy

import taut
from taut.elimination import BlockDiagonal
from taut.family import InterpolatedConditional, Particles, Structured, cardinal_splines

GROUPS = 60
RANDOM = np.random.default_rng(2)
# Groups that hardly differ: log s has a long tail to the left.
COUNTS = RANDOM.poisson(np.exp(0.8 + 0.15 * RANDOM.normal(size=GROUPS)))
GRID = np.linspace(-3.0, 3.0, 601)


def counts(*, centred: bool) -> pm.Model:
    with pm.Model() as model:
        mu, s = pm.Normal("mu", 0.0, 2.0), pm.HalfNormal("s", 1.0)
        if centred:
            each = pm.Normal("each", 0.0, s, shape=GROUPS)
        else:
            each = pm.Deterministic("each", s * pm.Normal("z", shape=GROUPS))
        pm.Poisson("y", pm.math.exp(mu + each), observed=COUNTS)
    return model


@cache
def exact() -> tuple[np.ndarray, np.ndarray]:
    """Distribution functions of the groups' effects on a grid, and their standard deviations."""
    mu, log_s = np.meshgrid(np.linspace(0.2, 1.4, 25), np.linspace(-9.0, 0.5, 60), indexing="ij")
    log_p, each = np.empty(mu.size), np.zeros((mu.size, GROUPS, len(GRID)), np.float32)
    for i, (one, log_scale) in enumerate(zip(mu.ravel(), log_s.ravel(), strict=True)):
        # In units of the scale where that is finer than the grid.
        x = np.linspace(-8.0, 8.0, 321)
        u = x * np.exp(log_scale)
        terms = COUNTS[:, None] * (one + u) - np.exp(one + u) - 0.5 * x**2
        level = scipy.special.logsumexp(terms, axis=1)
        log_p[i] = level.sum() - 0.125 * one**2 - 0.5 * np.exp(2 * log_scale) + log_scale
        share = np.cumsum(np.exp(terms - level[:, None]), axis=1)
        each[i] = [np.interp(GRID, u, row, left=0.0, right=1.0) for row in share]
    weight = np.exp(log_p - log_p.max())
    functions = np.einsum("i,igx->gx", weight / weight.sum(), each, optimize=True)
    middles, mass = 0.5 * (GRID[1:] + GRID[:-1]), np.diff(functions, axis=1)
    mean = mass @ middles
    return functions, np.sqrt(mass @ middles**2 - mean**2)


@pytest.mark.parametrize("centred", [True, False])
def test_marginals_are_those_of_the_posterior(centred: bool) -> None:
    """Half of the posterior lies between the quartiles of the draws, and so on."""
    model = counts(centred=centred)
    approx = taut.fit(method="marginal", model=model, random_seed=1, progressbar=False)
    assert approx.trusted
    draws = approx.sample(8000, random_seed=1)["posterior"]["each"].values[0]
    functions, std = exact()
    # Latents' spread comes from 300 effective draws of a scale with a heavy tail.
    assert np.abs(np.log(draws.std(axis=0) / std)).max() < 0.15
    for level in (0.05, 0.25, 0.75, 0.95):
        at = np.quantile(draws, level, axis=0)
        found = np.array([np.interp(q, GRID, row) for q, row in zip(at, functions, strict=True)])
        assert np.abs(found.mean() - level) < 0.015
        assert np.abs(found - level).max() < 0.05


def test_moments_are_those_of_draws() -> None:
    """Of means and scales that are far from lines: mean and std are sums over the particles."""
    random = np.random.default_rng(3)
    theta = random.normal(size=(500, 2))
    places = theta[:20]
    means = np.stack([np.tanh(places[:, 0]), places[:, 1] ** 2], axis=1)
    log_scales = np.stack([places[:, 0], -0.5 * places[:, 1]], axis=1)
    given = InterpolatedConditional.through(np.zeros(2), np.eye(2), places, means, log_scales)
    of_draws, scales = given.at(theta)
    np.testing.assert_allclose(given.at(places)[0], means, atol=1e-9)
    np.testing.assert_allclose(np.log(given.at(places)[1]), log_scales, atol=1e-9)
    given = replace(given, typical=np.sqrt((scales**2).mean(axis=0)))
    known = np.sqrt(of_draws.var(axis=0) + 0.25 * (scales**2).mean(axis=0))
    across = (theta - theta.mean(axis=0)).T @ (of_draws - of_draws.mean(axis=0)) / len(theta)
    at = np.array([0, 1], np.int32), np.array([2, 3], np.int32)
    with jax.enable_x64(True):
        family = Structured(Particles(theta), given, BlockDiagonal.of(np.full((2, 1, 1), 4.0)), *at)
        np.testing.assert_allclose(family.mean()[2:], of_draws.mean(axis=0))
        np.testing.assert_allclose(family.std()[2:], known)
        np.testing.assert_allclose(family.cov()[:2, 2:], across)
        np.testing.assert_allclose(np.diag(family.cov()), family.std() ** 2)


def test_cardinal_splines_are_lines_where_values_lie_on_one() -> None:
    random = np.random.default_rng(4)
    points, x = random.normal(size=(12, 2)), 3.0 * random.normal(size=(30, 2))
    values = 2.0 + points @ [1.0, -3.0]
    np.testing.assert_allclose(cardinal_splines(x, points) @ values, 2.0 + x @ [1.0, -3.0])
