"""Draws of the prior as points of the unconstrained space, without a compiler."""

import time

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

import taut
from taut.frontend import as_source

from .models import QUIET

pytestmark = QUIET


def test_draws_of_the_prior_are_unconstrained() -> None:
    """Means and standard deviations of 2 000 draws, within five standard errors."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 3.0, 2.0)
        pm.Normal("each", mu, 1.0, shape=2)
        pm.LogNormal("scale", 1.0, 0.5)
        pm.Beta("share", 2.0, 2.0)
    drawn = as_source(model).prior_points(2000, 1)
    assert drawn is not None
    assert drawn.shape == (2000, 5)
    expected = np.array([2.0, 5**0.5, 5**0.5, 0.5])
    np.testing.assert_allclose(drawn[:, :4].mean(axis=0), [3.0, 3.0, 3.0, 1.0], atol=0.25)
    np.testing.assert_allclose(drawn[:, :4].std(axis=0) / expected, 1.0, atol=0.08)
    # The logit of a beta variable of 2 and 2: twice trigamma(2).
    assert drawn[:, 4].std() == pytest.approx(np.sqrt(2 * (np.pi**2 / 6 - 1)), rel=0.1)
    # The elements depend on each other as the model says.
    assert np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1] == pytest.approx(2 / 5**0.5, abs=0.05)


def test_the_seed_decides_the_draws() -> None:
    with pm.Model() as model:
        pm.Normal("x", shape=3)
    source = as_source(model)
    np.testing.assert_array_equal(source.prior_points(4, 7), source.prior_points(4, 7))
    assert (source.prior_points(4, 7) != source.prior_points(4, 8)).all()


def test_ordered_variables_are_put_in_order() -> None:
    with pm.Model() as model:
        ordered = pm.distributions.transforms.ordered
        pm.Normal("cut", 0.0, 3.0, shape=4, transform=ordered, initval=[-1.0, 0.0, 1.0, 2.0])
    drawn = as_source(model).prior_points(20, 1)
    assert drawn is not None
    assert np.isfinite(drawn).all()
    cuts = drawn[:, :1] + np.column_stack([np.zeros(20), np.exp(drawn[:, 1:]).cumsum(axis=1)])
    assert (np.diff(cuts, axis=1) > 0).all()
    assert cuts.std() == pytest.approx(3.0, rel=0.3)


def test_improper_variables_are_not_a_number_and_the_others_are_drawn() -> None:
    with pm.Model() as model:
        pm.Flat("a", shape=2)
        pm.Normal("b")
        pm.HalfFlat("c")
    drawn = as_source(model).prior_points(3, 1)
    assert drawn is not None
    np.testing.assert_array_equal(np.isnan(drawn), [[True, True, False, True]] * 3)


def test_where_there_is_nothing_to_draw() -> None:
    with pm.Model() as improper:
        pm.Flat("a")
    assert as_source(improper).prior_points(3, 1) is None
    with pm.Model() as without_random:
        pm.CustomDist("x", logp=lambda value: -0.5 * value**2)
    assert as_source(without_random).prior_points(3, 1) is None
    target = taut.Target(lambda z, data, batch: (0.0, 0.0), taut.as_target(improper).space)
    assert as_source(target).prior_points(3, 1) is None


def test_a_potential_has_no_part_in_the_draws() -> None:
    with pm.Model() as model:
        x = pm.Normal("x")
        pm.Potential("edge", pt.switch(x > 0, 0.0, -np.inf))
    drawn = as_source(model).prior_points(50, 1)
    assert drawn is not None
    assert 5 < (drawn > 0).sum() < 45


def test_draws_start_no_compiler_and_take_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPU seconds of this process, with room for a machine ten times slower."""
    with pm.Model() as model:
        scale = pm.HalfNormal("scale", 1.0)
        pm.Normal("x", 0.0, scale, shape=20)
    source = as_source(model)
    source.target()

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a compiler was started")

    monkeypatch.setattr("pytensor.link.c.cmodule.ModuleCache.module_from_key", refused)
    begun = time.process_time()
    assert source.prior_points(32, 1) is not None
    assert time.process_time() - begun < 0.5
