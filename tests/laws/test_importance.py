"""Draws chosen by their weights are closer to the target than those of any density."""

import warnings

import numpy as np
import pytest

import cases
import taut
from taut import errors
from taut.family import FullRank
from taut.target import Space


def target_of(family: FullRank) -> taut.Target:
    """A Gaussian as a target."""
    return taut.Target(
        lambda z, data, batch: (data.log_prob(z), 0.0), Space.of({"z": (family.dim,)}), family
    )


def approximation(target: taut.Target, family: taut.family.AbstractFamily) -> taut.Approximation:
    """A family beside a target, as if it had been fitted."""
    approx = taut.Approximation([taut.Group(None, "mf")], model=target, random_seed=1)
    approx.show(family)
    return approx


def moments(approx: taut.Approximation, importance: str | None) -> tuple[np.ndarray, np.ndarray]:
    draws = approx.sample(10_000, random_seed=1, importance=importance)  # pyright: ignore[reportArgumentType]
    z = draws["posterior"]["z"].values[0]
    return z.mean(0), np.cov(z.T, ddof=0).reshape(approx.ndim, approx.ndim)


# A flow's tails leave it at the edge of what weights can mend.
@pytest.mark.filterwarnings("ignore:k-hat is 0.7")
@pytest.mark.parametrize("name", cases.DENSE)
def test_weights_bring_the_moments_to_those_of_the_target(name: str) -> None:
    """The target is q moved by 0.5 standard deviations, and narrowed by a fifth.

    Of 40 000 draws more than 4 000 are left in worth, so that a standard error is below 0.016
    standard deviations, and errors of 0.5 and 0.36 shrink to less than a sixth.
    """
    q = cases.FAMILIES[name]()
    mean, cov = np.asarray(q.mean()), np.asarray(q.cov())
    exact_mean = mean + 0.5 * np.linalg.cholesky(cov)[:, 0]
    exact_cov = 0.64 * cov
    scale = np.sqrt(np.diag(cov))
    approx = approximation(target_of(cases.full_rank_of(exact_mean, exact_cov)), q)
    plain_mean, plain_cov = moments(approx, None)
    mean, cov = moments(approx, "psis")
    off = np.abs(plain_mean - exact_mean).max(), np.abs(plain_cov - exact_cov).max()
    left = np.abs((mean - exact_mean) / scale).max(), np.abs(cov - exact_cov).max()
    assert left[0] < 5 * 0.016
    assert np.abs(mean - exact_mean).max() < off[0] / 6
    assert left[1] < off[1] / 6


def test_weights_of_the_draws_are_told() -> None:
    q = cases.full_rank(3)
    moved = np.asarray(q.mean()) + 0.1 * np.linalg.cholesky(q.cov())[:, 0]
    target = target_of(cases.full_rank_of(moved, np.asarray(q.cov())))
    draws = approximation(target, q).sample(50, random_seed=3, importance="psis")
    stats = draws["sample_stats"]
    z = draws["posterior"]["z"].values[0]
    assert stats.attrs["importance_draws"] == 4000
    assert 0 < stats.attrs["importance_ess"] <= 4000
    assert stats.attrs["khat"] < 0.7
    assert stats.attrs["khat_se"] > 0
    lp = [float(target.log_density(one)) for one in z]
    log_q = [float(q.log_prob(one)) for one in z]
    np.testing.assert_allclose(stats["lp"][0], lp)
    np.testing.assert_allclose(stats["log_q"][0], log_q)
    # All but the smoothed ones are the plain ratio, up to the constant.
    constant = stats["log_weight"][0] - stats["lp"][0] + stats["log_q"][0]
    assert np.median(np.abs(constant - np.median(constant))) < 1e-9


def test_the_seed_decides_the_choice() -> None:
    q = cases.mean_field(2)
    approx = approximation(target_of(cases.full_rank_of(np.asarray(q.mean()) + 0.1, q.cov())), q)
    one, same, other = (
        approx.sample(20, random_seed=seed, importance="psis")["posterior"]["z"].values
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_q_that_is_too_narrow_is_told_with_the_variable() -> None:
    """Along the second of two elements q has a third of the scale: k = 1 - 1/9."""
    q = cases.full_rank_of(np.zeros(2), np.diag([1.0, 1 / 9]))
    approx = approximation(target_of(cases.full_rank_of(np.zeros(2), np.eye(2))), q)
    with pytest.warns(UserWarning, match=r"k-hat is .* ± .* above 0.7: .*most of all for z\[1\]"):
        draws = approx.sample(1000, random_seed=1, importance="psis")
    stats = draws["sample_stats"].attrs
    assert stats["khat"] == pytest.approx(1 - 1 / 9, abs=3 * stats["khat_se"])


def test_a_q_that_is_the_target_warns_of_nothing() -> None:
    q = cases.full_rank(3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draws = approximation(target_of(q), q).sample(100, importance="psis")
    assert draws["sample_stats"].attrs["importance_ess"] == pytest.approx(4000)


def test_particles_have_no_weights_and_are_told_what_to_do() -> None:
    particles = cases.FAMILIES["particles, 5-d"]()
    approx = approximation(target_of(cases.full_rank(5)), particles)
    with pytest.raises(errors.ArgumentError, match=r"no density.*importance weights.*advi"):
        approx.sample(10, importance="psis")


def test_other_words_are_refused() -> None:
    approx = approximation(target_of(cases.full_rank(2)), cases.full_rank(2))
    with pytest.raises(errors.ArgumentError, match=r'None or "psis", got .snis.'):
        approx.sample(10, importance="snis")  # pyright: ignore[reportArgumentType]
