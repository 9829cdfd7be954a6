"""Short chains as a judge: what is wrong is found and named, what is right is passed."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

import taut
from cases import full_rank_of, regression
from taut.chains import Window
from taut.diagnose import (
    ChainCheck,
    HowItEnded,
    Journal,
    Judge,
    Moments,
    Outcome,
    growth,
    particles,
    report_on,
)
from taut.diagnose.repair import is_stalled, outcome_of
from taut.diagnose.shift import shift_of
from taut.engine import Timing
from taut.gaussian import DenseNormal
from taut.gradients import Gradients
from taut.target import Space

from .windows import ONE, window

pytestmark = pytest.mark.statistical

MODEL = regression(5)
STD = np.sqrt(np.diag(MODEL.posterior_cov))


def judge(seed: int = 1) -> Judge:
    gradients = Gradients(MODEL.target(), Timing())
    return Judge(gradients, np.random.default_rng(seed), Journal())


def draws(mean: np.ndarray, cov: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).multivariate_normal(mean, cov, 4000)


@pytest.mark.parametrize("seed", range(5))
def test_the_posterior_itself_is_passed(seed: int) -> None:
    exact = draws(MODEL.posterior_mean, MODEL.posterior_cov, seed)
    assert judge(seed).outcome(exact) is Outcome.CHECKED


@pytest.mark.parametrize("seed", range(3))
def test_a_mean_that_is_off_is_found_and_named(seed: int) -> None:
    away = np.zeros(5)
    away[3] = 0.4 * STD[3]
    judging = judge(seed)
    off = draws(MODEL.posterior_mean + away, MODEL.posterior_cov, seed)
    assert judging.outcome(off) is Outcome.MOVED
    check = judging.journal.check
    assert check is not None
    assert check.worst == 3
    # The chains have forgotten where they began: they move it by what it was off.
    assert check.mean_shift[3] == pytest.approx(-0.4, abs=0.1)


@pytest.mark.parametrize("factor", [0.6, 1.6])
def test_a_scale_that_is_off_is_found(factor: float) -> None:
    judging = judge()
    scaled = draws(MODEL.posterior_mean, factor**2 * MODEL.posterior_cov)
    assert judging.outcome(scaled) is Outcome.MOVED
    check = judging.journal.check
    assert check is not None
    np.testing.assert_allclose(check.log_sd_shift, -np.log(factor), atol=0.15)


@pytest.mark.parametrize(
    ("before", "after", "stalled"), [(0.33, 0.38, True), (0.13, 0.8, False), (4.8, 4.8, False)]
)
def test_learning_stalls_where_chains_stay_apart(
    before: float, after: float, *, stalled: bool
) -> None:
    """So many draws a chain is worth in a round and in the next."""
    assert is_stalled(window(draws_each=before), window(draws_each=after)) is stalled
    two = window(draws_each=before), window(draws_each=after)
    assert growth(*two) == (3.0 if stalled else 1.5)


@pytest.mark.parametrize(
    ("off", "chains"),
    [(0.0, {64, 128}), (0.12, {256}), (1.0, {64})],
    ids=["right", "near", "wrong"],
)
def test_more_chains_look_where_it_is_close(off: float, chains: set[int]) -> None:
    judging = judge()
    judging.outcome(draws(MODEL.posterior_mean + off * STD, MODEL.posterior_cov))
    assert judging.journal.check is not None
    assert judging.journal.check.window.draws.shape[1] in chains


def test_a_single_divergence_asks_for_more_chains() -> None:
    """The neck of a funnel makes one in some hundreds diverge."""
    zero = np.zeros(1)
    assert ChainCheck(zero, zero, zero, zero, window()).is_decided(ONE)
    assert not ChainCheck(zero, zero, zero, zero, window(divergent=0.0005)).is_decided(ONE)


def visited(nu: float | None, seed: int) -> Window:
    """A window of independent draws: of a t distribution, or of a Gaussian."""
    random = np.random.default_rng(seed)
    size = (60, 64, 1)
    drawn = random.normal(size=size) if nu is None else random.standard_t(nu, size)
    return window(drawn)


@pytest.mark.parametrize(
    ("nu", "moved", "expected"),
    [
        (None, 0.0, Outcome.REPAIRED),
        (None, 0.5, Outcome.UNSETTLED),
        (1.0, 0.0, Outcome.HEAVY),
        (1.0, 1.0, Outcome.UNSETTLED),
    ],
)
def test_tails_that_do_not_settle_are_told_from_what_moves(
    nu: float | None, moved: float, expected: Outcome
) -> None:
    """A Cauchy distribution has no mean; its quartiles are known to 3 % from 3 840 draws."""
    before, after = visited(nu, 1), visited(nu, 2)
    after = replace(after, draws=after.draws + moved)
    known = Moments.known(before.pooled.mean(axis=0), before.pooled.std(axis=0))
    outcome, wrong = outcome_of(shift_of(known, after), before, ONE)
    assert outcome is expected
    assert bool(wrong) == (expected is not Outcome.REPAIRED)


def test_what_is_passed_and_slightly_off_comes_nearer() -> None:
    """The target is Gaussian, where gradients take nearly all noise from mean and spread."""
    factor = np.array([1.08, 1.0, 1.0, 1.0, 0.93])
    cov = np.outer(factor, factor) * MODEL.posterior_cov
    off = DenseNormal.of(MODEL.posterior_mean + 0.06 * STD, cov)
    judging = judge()
    assert judging.outcome(draws(off.mean, off.cov)) is Outcome.CHECKED
    assert judging.journal.check is not None
    better = judging.journal.check.improve(off)
    assert np.abs((better.mean - MODEL.posterior_mean) / STD).max() < 0.01
    np.testing.assert_allclose(better.std / STD, 1.0, atol=0.02)


def test_a_repair_gives_the_posterior() -> None:
    """About 5 000 effective draws: a mean is off by 0.015 sd, five times that is allowed."""
    judging = judge()
    wrong = draws(MODEL.posterior_mean + STD, MODEL.posterior_cov / 4)
    rounds = islice(judging.rounds(wrong), 4)
    last = next(found for found in rounds if judging.journal.outcome is Outcome.REPAIRED)
    family = judging.kept(*last, settled=True)
    points = np.asarray(family.histogram)
    assert np.abs((points.mean(axis=0) - MODEL.posterior_mean) / STD).max() < 0.08
    np.testing.assert_allclose(points.std(axis=0) / STD, 1.0, atol=0.08)


def approximation(mean: np.ndarray) -> taut.Approximation:
    approx = taut.FullRank(model=MODEL.target(), random_seed=1)
    approx.show(full_rank_of(mean, MODEL.posterior_cov))
    return approx


def test_an_approximation_is_diagnosed_and_repaired() -> None:
    good, bad = approximation(MODEL.posterior_mean), approximation(MODEL.posterior_mean + STD)
    report = good.diagnose(random_seed=1)
    assert report.trusted
    assert report.elbo is not None
    assert report.elbo.mean == pytest.approx(-float(MODEL.loss(good.family)), abs=1e-6)
    assert report.weights is not None
    assert report.weights.ess == pytest.approx(2000, rel=1e-3)
    worse = bad.diagnose(random_seed=1)
    assert not worse.trusted
    assert "approx.repair()" in str(worse)
    repaired = bad.repair(random_seed=1)
    assert repaired.diagnose().trusted
    assert type(bad.family).__name__ == "FullRank"


def test_a_report_reads_well_in_terminal_and_notebook() -> None:
    report = approximation(MODEL.posterior_mean).diagnose(random_seed=1)
    text = str(report)
    assert text.startswith("trusted: ")
    assert [word in text for word in ("ELBO", "k-hat", "effective draws")] == [True] * 3
    assert report._repr_html_().startswith("<p>trusted: ")


def test_a_report_gives_the_khat_of_each_variable_with_its_error() -> None:
    """The worst element of each, in both forms of the report; five variables, and a count."""
    names = ["a", "b", "c", "d", "e", "f"]
    space = Space.of({name: (2,) for name in names})
    random = np.random.default_rng(1)
    z = random.normal(size=(2000, 12))
    journal = Journal(outcome=Outcome.CHECKED)
    ending = HowItEnded(0, 0, None, Timing())
    report = report_on(journal, z, -0.1 * z[:, 3] ** 2, space, ending)
    assert report.weights is not None
    overall = f"k-hat           {report.weights.khat:.2f} ± {report.weights.khat_se:.2f}"
    [line] = [line for line in str(report).splitlines() if line.startswith("k-hat of means")]
    worst = max(report.khats, key=lambda name: report.khats[name].value)
    assert overall in str(report)
    assert f"{worst} {report.khats[worst].value:.2f} ± {report.khats[worst].se:.2f}, " in line
    assert line.count(" ± ") == 5
    assert line.endswith("; 1 more")
    for text in (f"<td>{line.removeprefix('k-hat of means').strip()}</td>", overall[-11:]):
        assert text in report._repr_html_()


def test_without_chains_nothing_is_trusted_that_was_not_checked() -> None:
    report = approximation(MODEL.posterior_mean + STD).diagnose(chains=False, random_seed=1)
    assert not report.trusted
    assert report.check is None
    assert str(report).startswith("not trusted: it has not been checked")


def test_even_weights_are_a_check_of_their_own() -> None:
    report = approximation(MODEL.posterior_mean).diagnose(random_seed=1)
    assert report.journal.outcome is Outcome.WEIGHED
    assert report.check is None


@pytest.mark.parametrize("dim", [1, 20, 300])
def test_exact_fits_are_trusted_with_few_draws(dim: int) -> None:
    """The noise of 500 draws, by which weights can not judge, is no shift."""
    model = regression(dim, rows=2 * dim)
    approx = taut.FullRank(model=model.target(), random_seed=1)
    approx.show(full_rank_of(model.posterior_mean, model.posterior_cov))
    for seed in range(3):
        report = approx.diagnose(500, random_seed=seed)
        assert report.trusted
        assert report.journal.outcome is Outcome.CHECKED


@pytest.mark.parametrize("settled", [True, False])
def test_draws_that_have_not_settled_stay_where_the_density_is_finite(*, settled: bool) -> None:
    visited = window()
    correction = replace(visited.correction, true_mean=visited.correction.mean + 1.0)
    visited = replace(visited, said=replace(visited.said, correction=correction))
    kept = particles(visited, np.random.default_rng(1), "float64", settled=settled)
    expected = visited.pooled + 1.0 if settled else visited.pooled
    np.testing.assert_allclose(np.sort(kept.histogram, axis=0), np.sort(expected, axis=0))


def test_particles_are_judged_by_what_chains_make_of_them() -> None:
    exact = draws(MODEL.posterior_mean, MODEL.posterior_cov)
    approx = taut.Empirical(exact, model=MODEL.target(), random_seed=1)
    report = approx.diagnose(random_seed=1)
    assert report.trusted
    assert report.elbo is None
