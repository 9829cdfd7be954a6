"""Short chains: they keep the target, come to it from elsewhere, and tell when they have not."""

import numpy as np
import pytest

from cases import Gaussian, regression
from taut.chains import Chains, Linear, Window
from taut.chains.control_variates import Tally
from taut.engine import Timing
from taut.gaussian import DenseNormal, Normal, ScaledLowRankNormal
from taut.gradients import Gradients

from .plain import Plain

pytestmark = pytest.mark.statistical

TARGET = regression(5)


def gradients_of(model: Gaussian) -> Gradients:
    return Gradients(model.target(), Timing())


def exact() -> DenseNormal:
    return DenseNormal.of(TARGET.posterior_mean, TARGET.posterior_cov)


def chains_from(normal: Normal, count: int = 256, seed: int = 1) -> Chains:
    random = np.random.default_rng(seed)
    return Chains(gradients_of(TARGET), Linear(normal), normal.draw(random, count)[0], random)


def wrong() -> dict[str, Normal]:
    mean, std = TARGET.posterior_mean, np.sqrt(np.diag(TARGET.posterior_cov))
    return {
        "far": DenseNormal.of(mean + 2 * std, TARGET.posterior_cov),
        "narrow": DenseNormal.of(mean, TARGET.posterior_cov / 9),
        "uncorrelated": ScaledLowRankNormal.diagonal(mean, std),
    }


@pytest.mark.parametrize("name", ["far", "narrow", "uncorrelated"])
def test_chains_come_to_the_posterior_from_a_wrong_start(name: str) -> None:
    """256 chains of 40 transitions: the noise of a mean is under 0.03 sd; four of them."""
    chains = chains_from(wrong()[name])
    chains.run(40)
    pooled = chains.run(40).pooled
    std = np.sqrt(np.diag(TARGET.posterior_cov))
    assert np.max(np.abs(pooled.mean(axis=0) - TARGET.posterior_mean) / std) < 0.12
    np.testing.assert_allclose(pooled.std(axis=0) / std, 1.0, atol=0.12)
    correlation = np.corrcoef(TARGET.posterior_cov / np.outer(std, std))
    np.testing.assert_allclose(np.corrcoef(np.corrcoef(pooled.T)), correlation, atol=0.1)


@pytest.mark.slow
def test_the_standard_error_is_that_of_the_mean() -> None:
    """Over 30 runs the mean strays as the standard error says, within a quarter or so."""
    std = np.sqrt(np.diag(TARGET.posterior_cov))
    scores = []
    for seed in range(30):
        chains = chains_from(exact(), 64, seed)
        chains.run(10)
        window = chains.run(10)
        scores.append((window.pooled.mean(axis=0) - TARGET.posterior_mean) / window.standard_error)
        assert (window.standard_error < 0.1 * std).all()
    assert 0.75 < np.std(scores) < 1.3


def test_chains_are_worth_many_draws_where_they_mix_and_none_where_each_stays() -> None:
    chains = chains_from(exact())
    chains.run(20)
    assert chains.run(40).draws_each.min() > 10
    stuck = chains_from(exact())
    stuck.travel = 0.05
    assert stuck.run(10).draws_each.min() < 0.8


def test_steps_are_adapted_to_the_wanted_acceptance() -> None:
    chains = chains_from(exact())
    chains._log_step = np.log(0.1)
    chains.run(150)
    assert chains.run(20).accepted.mean() == pytest.approx(0.8, abs=0.08)


def test_starts_without_a_density_begin_where_others_do() -> None:
    random = np.random.default_rng(0)
    starts = exact().draw(random, 32)[0]
    starts[::2] = np.nan
    chains = Chains(gradients_of(TARGET), Linear(exact()), starts, random)
    assert np.isfinite(chains.z).all()
    assert np.isfinite(chains.run(5).pooled).all()


def test_the_same_seed_gives_the_same_chains() -> None:
    one, other = (chains_from(exact(), 32).run(5).draws for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_a_window_can_be_gone_on_with() -> None:
    at_once = chains_from(exact(), 32).run(12)
    chains = chains_from(exact(), 32)
    parts = chains.run(4, chains.run(8))
    np.testing.assert_array_equal(parts.draws, at_once.draws)
    np.testing.assert_array_equal(parts.corrected, at_once.corrected)
    np.testing.assert_allclose(parts.accepted, at_once.accepted, rtol=1e-12)
    assert parts.divergent == at_once.divergent


def test_chains_can_be_added_and_left_out() -> None:
    chains = chains_from(exact(), 16)
    chains.add(np.array([[np.nan] * 5, *exact().draw(np.random.default_rng(2), 7)[0]]))
    assert chains.z.shape == (24, 5)
    assert np.isfinite(chains.run(5).pooled).all()
    before = {tuple(z) for z in chains.z}
    chains.keep(10)
    assert chains.z.shape == (10, 5)
    assert {tuple(z) for z in chains.z} <= before


def test_careful_chains_take_smaller_steps() -> None:
    chains = chains_from(exact())
    chains.run(100)
    step = chains.step
    chains.be_careful()
    assert chains.acceptance == pytest.approx(0.9)
    chains.run(100)
    assert chains.step < 0.8 * step
    for _ in range(10):
        chains.be_careful()
    assert chains.acceptance == 0.99


def test_chains_settle_in_coordinates_as_they_would_run() -> None:
    settled, run = chains_from(exact()), chains_from(exact())
    assert settled.settle(30)
    run.run(30)
    assert settled.step == run.step
    np.testing.assert_array_equal(settled.z, run.z)


def test_chains_give_coordinates_up_in_which_they_can_not_move() -> None:
    chains = chains_from(exact())
    counted = chains.gradients.count
    mean, cov = TARGET.posterior_mean, TARGET.posterior_cov
    chains.precondition(Linear(DenseNormal.of(mean, 1e8 * cov)))
    assert not chains.settle(200)
    # Eight transitions, and not as many as adapt to it.
    assert chains.gradients.count - counted < 20_000


def test_draws_each_is_the_number_of_independent_draws() -> None:
    """64 chains of 40 independent draws: the variance of the chains' means has an error of 18 %."""
    tally, standard = Tally(64, 1), Linear(ScaledLowRankNormal.diagonal(np.zeros(1), np.ones(1)))
    tally.add(np.ones((64, 1)), np.ones((64, 1)))
    drawn = np.random.default_rng(3).normal(size=(40, 64, 1))
    nowhere = np.empty((0, 1)), np.empty((0, 1))
    window = Window(drawn, np.ones(64), tally.said(standard), *nowhere)
    assert window.draws_each[0] == pytest.approx(40, rel=0.4)
    # As few draws of each, in blocks of ten that are the same.
    slow = Window(np.repeat(drawn[::10], 10, axis=0), np.ones(64), window.said, *nowhere)
    assert slow.draws_each[0] == pytest.approx(4, rel=0.5)


def test_where_transitions_diverge_is_written_down() -> None:
    """A wall without a density at 1: what begins near it runs into it."""

    def half(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        inside = z[:, 0] < 1.0
        return np.where(inside, -0.5 * z[:, 0] ** 2, -np.inf), -z

    random = np.random.default_rng(1)
    standard = Linear(ScaledLowRankNormal.diagonal(np.zeros(1), np.ones(1)))
    chains = Chains(Plain(half), standard, random.uniform(-1, 1, (64, 1)), random)  # type: ignore[arg-type]
    window = chains.run(50)
    assert len(window.left) == round(window.divergent * 50 * 64) > 0
    assert not len(window.diverged)
    assert (window.left < 1.0).all()
    # Steps do not shrink for it. With small ones the last place is known well.
    assert chains.step > 0.3
    chains._log_step, chains.acceptance = np.log(0.05), 0.999
    assert chains.run(5).left.mean() > 0.7


def test_a_gradient_that_is_no_number_ends_no_chain() -> None:
    """A standard normal whose derivative is lost above 1: 64 x 200 draws know a mean to 0.02."""

    def lost(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return -0.5 * (z**2).sum(axis=1), np.where(z > 1.0, np.nan, -z)

    random = np.random.default_rng(1)
    standard = Linear(ScaledLowRankNormal.diagonal(np.zeros(2), np.ones(2)))
    chains = Chains(Plain(lost), standard, random.normal(size=(64, 2)), random)  # type: ignore[arg-type]
    chains.run(20)
    window = chains.run(200)
    assert not len(window.diverged)
    np.testing.assert_allclose(window.corrected.mean(axis=0), 0.0, atol=0.1)
    np.testing.assert_allclose(window.corrected.std(axis=0), 1.0, atol=0.07)


@pytest.mark.parametrize(("careful", "accepted"), [(0, 0.8), (1, 0.9), (3, 0.975), (5, 0.99)])
def test_steps_come_to_what_should_be_accepted_however_little_is_refused(
    careful: int, accepted: float
) -> None:
    """What 64 chains refuse in 100 transitions is known to a twentieth; they drift for a tenth."""
    chains = chains_from(exact(), 64)
    for _ in range(careful):
        chains.be_careful()
    chains.settle(40)
    refused = 1.0 - chains.run(100).accepted.mean()
    assert refused == pytest.approx(1.0 - accepted, rel=0.2)
