"""Pareto smoothed importance sampling against tails whose shape is known."""

import numpy as np
import pytest

from taut import errors
from taut.diagnose import khat_by_variable, psis
from taut.target import Space


def pareto(shape: float, draws: int, seed: int) -> np.ndarray:
    """Log weights of a Pareto distribution, whose every tail has this shape."""
    return -shape * np.log(np.random.default_rng(seed).random(draws))


@pytest.mark.parametrize("shape", [0.3, 0.8])
def test_khat_finds_the_shape_with_the_standard_error_it_states(shape: float) -> None:
    """300 repetitions: their mean is within five standard errors once the fit's prior, ten
    observations of 0.5, is counted in; their spread is known to 4 %, and asymptotic."""
    fits = [psis(pareto(shape, 4000, seed)) for seed in range(300)]
    found = np.array([fit.khat for fit in fits])
    stated = float(np.mean([fit.khat_se for fit in fits]))
    tail = int(3 * np.sqrt(4000))
    expected = (tail * shape + 10 * 0.5) / (tail + 10)
    # The estimate of Zhang and Stephens has a bias of its own, of the order of 1 / tail.
    assert abs(found.mean() - expected) < 5 * stated / np.sqrt(300) + 1 / tail
    assert found.std() == pytest.approx(stated, rel=0.15)


def test_weighted_draws_have_the_moments_of_the_target() -> None:
    """q = N(0, 1), p = N(0.5, 0.8²); with 20 000 draws a standard error is below 0.01."""
    z = np.random.default_rng(1).normal(size=20_000)
    weights = psis(-0.5 * ((z - 0.5) / 0.8) ** 2 + 0.5 * z**2)
    assert weights.reliable
    assert weights.weights.sum() == pytest.approx(1.0)
    assert weights.weights @ z == pytest.approx(0.5, abs=0.04)
    assert weights.weights @ (z - 0.5) ** 2 == pytest.approx(0.64, abs=0.04)
    # S / ESS is E_q[w²], the integral of p² / q.
    a, b, c = 2 / 0.64 - 1, 2 * 0.5 / 0.64, 0.25 / 0.64
    second = np.exp(b**2 / (2 * a) - c) / (0.64 * np.sqrt(a))
    assert 20_000 / weights.ess == pytest.approx(second, rel=0.05)


def test_a_density_of_zero_is_a_weight_of_zero() -> None:
    """p is q cut at zero: the half that is left has equal weights."""
    z = np.random.default_rng(1).normal(size=2000)
    weights = psis(np.where(z > 0, 0.3, -np.inf))
    assert (weights.weights[z <= 0] == 0).all()
    assert weights.ess == pytest.approx((z > 0).sum())
    uneven = psis(np.where(z > 0, z, -np.inf))
    assert (uneven.weights[z <= 0] == 0).all()
    assert uneven.weights.sum() == pytest.approx(1.0)
    assert np.isfinite(uneven.khat)


def test_zero_weights_change_nothing_of_the_others() -> None:
    ratios = pareto(0.4, 1000, 1)
    with_zeros = np.insert(ratios, [0, 500, 1000], -np.inf)
    some, more = psis(ratios), psis(with_zeros)
    assert some.khat == more.khat
    np.testing.assert_allclose(more.weights[more.weights > 0], some.weights)


def test_equal_weights_have_no_tail() -> None:
    weights = psis(np.full(500, -1234.5) + 1e-12 * np.arange(500))
    assert weights.khat == -np.inf
    assert weights.ess == pytest.approx(500)
    assert weights.reliable


def test_few_draws_are_weighted_but_not_smoothed() -> None:
    ratios = np.log(np.arange(1.0, 11.0))
    weights = psis(ratios)
    np.testing.assert_allclose(weights.weights, np.arange(1, 11) / 55)
    assert weights.khat == np.inf
    assert not weights.reliable
    assert np.isnan(weights.khat_se)


@pytest.mark.parametrize(
    ("ratios", "error", "message"),
    [
        ([0.0, np.nan, 1.0], errors.NotFiniteError, "nan at 1 of 3 draws, first at draw 1"),
        ([np.inf, 0.0], errors.NotFiniteError, "inf at 1 of 2 draws"),
        ([-np.inf, -np.inf], errors.NotFiniteError, "zero at every draw"),
        ([], errors.ArgumentError, "shape"),
        ([[0.0]], errors.ArgumentError, "vector of log ratios"),
    ],
)
def test_what_is_no_weight_is_refused(ratios: list, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        psis(np.array(ratios))


def test_systematic_choices_follow_the_weights() -> None:
    """Each draw is chosen as often as its weight says, up to one."""
    weights = psis(pareto(0.5, 400, 2))
    chosen = weights.resample(1000, np.random.default_rng(1))
    counts = np.bincount(chosen, minlength=400)
    assert len(chosen) == 1000
    assert (np.abs(counts - 1000 * weights.weights) < 1 + 1e-9).all()
    assert (np.diff(chosen) < 0).any()


def test_each_variable_has_a_khat_of_its_own() -> None:
    """Weights are equal: what is left are the tails of the variables, one with shape 0.9.

    A normal's tail has shape 0, which the fit's prior moves to about 0.05. The standard error of
    the other is 0.13. One that does not move has no tail.
    """
    random = np.random.default_rng(3)
    z = np.stack([random.normal(size=4000), np.exp(pareto(0.9, 4000, 4)), np.ones(4000)], axis=1)
    khat = khat_by_variable(np.zeros(4000), z, Space.of({"a": (), "b": (2,)}))
    assert list(khat) == ["a", "b[0]", "b[1]"]
    assert khat["a"].value < 0.3
    assert khat["b[0]"].value == pytest.approx(0.9, abs=0.4)
    assert khat["b[0]"].se == pytest.approx(0.13, abs=0.03)
    assert khat["b[1]"].value == -np.inf
    assert np.isnan(khat["b[1]"].se)


def test_of_a_large_variable_those_that_are_moved_most_are_looked_at() -> None:
    random = np.random.default_rng(8)
    z = random.normal(size=(2000, 400))
    # Weights move the last of them.
    ratios, space = 0.5 * z[:, -1], Space.of({"few": (2,), "many": (398,)})
    all_, some = khat_by_variable(ratios, z, space), khat_by_variable(ratios, z, space, most=3)
    assert len(all_) == 400
    assert len(some) == 5
    assert list(some)[-1] == "many[397]"
    assert all(some[name] == all_[name] for name in some)


@pytest.mark.parametrize("shape", [0.3, 0.8])
def test_khat_of_a_variable_varies_by_the_standard_error_it_states(shape: float) -> None:
    """As for k-hat itself: 300 repetitions know a spread to 4 %, and the formula is asymptotic.

    Draws are normal and independent of their weights, whose tail theirs then has."""
    found, space = [], Space.of({"a": ()})
    for seed in range(300):
        z = np.random.default_rng(1000 + seed).normal(size=(4000, 1))
        found.append(khat_by_variable(pareto(shape, 4000, seed), z, space)["a"])
    values, errors = np.array(found).T
    assert values.std() == pytest.approx(errors.mean(), rel=0.15)


def test_a_variable_that_does_not_matter_has_the_khat_of_the_weights() -> None:
    """The same tail for both, but for a factor: two ways to the same number and its error."""
    ratios = pareto(0.6, 4000, 5)
    z = np.random.default_rng(6).choice([-1.0, 1.0], 4000)[:, None]
    away = np.abs(z[:, 0] - float(psis(ratios).weights @ z[:, 0]))
    whole = psis(ratios + np.log(away))
    khat = khat_by_variable(ratios, z, Space.of({"a": ()}))["a"]
    assert (khat.value, khat.se) == (whole.khat, whole.khat_se)
