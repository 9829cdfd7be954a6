"""Hierarchies whose data are strange: what is trusted is right, by a sum over a grid."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm
import pytest
import scipy

import taut
from taut.errors import NotFiniteError, silent
from taut.gradients import OutOfTime
from taut.method import marginal_stages

GROUPS, ROWS = 400, 10
# Distance of means, in sd, and of logarithms of sds: bounds of trust are 0.1, and 300 effective
# draws know either to 0.06.
CLOSE = 0.16


def binary(
    group: np.ndarray, y: np.ndarray, groups: int = GROUPS, *, centred: bool = True
) -> pm.Model:
    with pm.Model() as model:
        mu, s = pm.Normal("mu", 0.0, 2.0), pm.HalfNormal("s", 1.0)
        if centred:
            a = pm.Normal("a", mu, s, shape=groups)
        else:
            a = mu + s * pm.Normal("z", 0.0, 1.0, shape=groups)
        pm.Bernoulli("y", logit_p=a[pm.Data("group", group)], observed=pm.Data("rows", y))
    return model


def simulated(group: np.ndarray, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    a = random.normal(0.3, 0.7, group.max() + 1)
    return (random.random(len(group)) < scipy.special.expit(a[group])).astype(int)


def exact(group: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean and sd of mu and of log s, by sums over a grid of both and of the latents."""
    mu, log_s = np.linspace(-7.0, 7.0, 281), np.linspace(-8.0, 3.0, 221)
    a = np.linspace(-60.0, 60.0, 2401)
    seen = np.unique(group)
    ones = np.array([y[group == g].sum() for g in seen])
    counts = np.array([(group == g).sum() for g in seen])
    kinds, of_kind = np.unique(np.stack([ones, counts]), axis=1, return_counts=True)
    success, failure = scipy.special.log_expit(a), scipy.special.log_expit(-a)
    log_p = np.empty((len(mu), len(log_s)))
    for j, scale in enumerate(np.exp(log_s)):
        # Each cell of the grid gets the mass of the normal distribution that lies in it.
        step = 0.5 * (a[1] - a[0])
        z = (a - mu[:, None]) / scale
        mass = scipy.special.ndtr(z + step / scale) - scipy.special.ndtr(z - step / scale)
        log_p[:, j] = -0.5 * (mu / 2.0) ** 2 - 0.5 * scale**2 + log_s[j]
        for (k, n), times in zip(kinds.T, of_kind, strict=True):
            log_likelihood = k * success + (n - k) * failure
            top = log_likelihood.max()
            log_p[:, j] += times * (np.log(mass @ np.exp(log_likelihood - top) + 1e-300) + top)
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    both = [(mu, p.sum(axis=1)), (log_s, p.sum(axis=0))]
    means = [(x, share, share @ x) for x, share in both]
    return np.array([[mean, np.sqrt(share @ (x - mean) ** 2)] for x, share, mean in means])


def errors(approx: taut.Approximation, known: np.ndarray) -> float:
    """Return the worst error of a mean, in sd, and of a log sd."""
    draws = approx.sample(8000, random_seed=2)["posterior"]
    worst = 0.0
    for x, (mean, sd) in zip((draws["mu"].values, np.log(draws["s"].values)), known, strict=True):
        worst = max(worst, abs(x.mean() - mean) / sd, abs(np.log(x.std() / sd)))
    return worst


def fitted(model: pm.Model) -> taut.Approximation:
    return taut.fit(model=model, method="marginal", random_seed=1, progressbar=False)


@pytest.mark.parametrize("centred", [True, False])
def test_groups_without_rows_are_those_of_the_prior(centred: bool) -> None:
    group = np.repeat(np.arange(300), ROWS)
    y = simulated(group)
    approx = fitted(binary(group, y, centred=centred))
    assert approx.trusted
    assert errors(approx, exact(group, y)) < CLOSE
    if centred:
        draws = approx.sample(8000, random_seed=3)["posterior"]
        unseen = draws["a"].values[0, :, 350]
        spread = np.sqrt(np.mean(draws["s"].values ** 2) + draws["mu"].values.var())
        assert unseen.mean() == pytest.approx(draws["mu"].values.mean(), abs=0.06)
        assert unseen.std() == pytest.approx(spread, rel=0.06)


def test_groups_that_separate_take_more_nodes() -> None:
    """All rows of a group are alike: the latents have one steep side, and half a normal one."""
    y = np.repeat(np.random.default_rng(1).random(GROUPS) < 0.5, ROWS).astype(int)
    group = np.repeat(np.arange(GROUPS), ROWS)
    approx = fitted(binary(group, y))
    assert approx.trusted
    assert errors(approx, exact(group, y)) < CLOSE
    assert any("by 65 nodes" in stage.note for stage in approx.journal.stages)


def test_a_single_group_with_all_rows_is_right() -> None:
    """The scale is hardly known, and the globals' density far from normal."""
    group = np.full(5000, 7)
    y = simulated(group)
    approx = fitted(binary(group, y, 50))
    assert approx.trusted
    assert errors(approx, exact(group, y)) < CLOSE


def exact_of_single_rows(
    ones: int, rows: int, of_log_s: Callable[[np.ndarray], np.ndarray] = np.asarray
) -> np.ndarray:
    """Mean and sd of mu and of log s, or another function of it, along the narrow, bent ridge."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(101)
    log_s = np.linspace(-8.0, 2.0, 401)
    middle = scipy.special.logit(ones / rows) * np.sqrt(1.0 + 0.35 * np.exp(2 * log_s))
    width = 20.0 / np.sqrt(rows) * np.hypot(1.0, np.exp(log_s))
    mu = middle[:, None] + np.linspace(-1.0, 1.0, 801) * width[:, None]
    share = sum(
        w * scipy.special.expit(mu + np.exp(log_s)[:, None] * x)
        for x, w in zip(nodes, weights / weights.sum(), strict=True)
    )
    log_p = scipy.stats.binom.logpmf(ones, rows, share) - 0.5 * (mu / 2.0) ** 2
    log_p += (log_s - 0.5 * np.exp(2 * log_s) + np.log(width))[:, None]
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    both = mu, np.broadcast_to(of_log_s(log_s)[:, None], mu.shape)
    means = [(x, np.sum(p * x)) for x in both]
    return np.array([[mean, np.sqrt(np.sum(p * (x - mean) ** 2))] for x, mean in means])


def test_groups_of_one_binary_row_are_right() -> None:
    """Nodes that are enough at the mode are not where the scale is large, and hide that tail."""
    group = np.arange(5000)
    y = simulated(group)
    approx = fitted(binary(group, y, 5000))
    assert approx.trusted
    assert errors(approx, exact_of_single_rows(y.sum(), 5000)) < CLOSE


def test_few_draws_of_a_bent_density_are_nearer_than_a_gaussian_by_their_moments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A Gaussian of log s has a tail that the scale has not: it would be 50 % wider."""
    monkeypatch.setattr("taut.method.marginal_stages._ROUNDS", 3)
    group = np.arange(5000)
    y = simulated(group)
    with silent():
        approx = fitted(binary(group, y, 5000))
    assert not approx.trusted
    scale = approx.sample(8000, random_seed=2)["posterior"]["s"].values
    known = exact_of_single_rows(y.sum(), 5000, np.exp)
    # Some fifty effective draws know a mean to 0.14 sd.
    assert abs(scale.mean() - known[1, 0]) < 0.3 * known[1, 1]
    assert scale.std() < 1.3 * known[1, 1]


def test_data_of_other_groups_are_fitted_anew() -> None:
    group = np.repeat(np.arange(GROUPS), ROWS)
    model = binary(group, simulated(group))
    fitted(model)
    other = np.repeat(np.arange(0, GROUPS, 2), 2 * ROWS)
    y = simulated(other, 3)
    with model:
        pm.set_data({"group": other, "rows": y})
    approx = fitted(model)
    assert approx.trusted
    assert errors(approx, exact(other, y)) < CLOSE


def test_a_group_that_is_not_there_is_named() -> None:
    group = np.append(np.repeat(np.arange(GROUPS), ROWS), GROUPS + 5)
    with pytest.raises(NotFiniteError, match=f"index {GROUPS + 5} is out of bounds"):
        fitted(binary(group, simulated(group)))


@pytest.mark.parametrize("most", [300, 5000])
def test_very_many_exact_latents_are_not_left_to_chains(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the globals are not sure, here after few draws, chains of all unknowns are no surer."""
    monkeypatch.setattr("taut.method.marginal_stages._ROUNDS", 0)
    monkeypatch.setattr("taut.method.auto._ALL_THERE_IS", most)
    group = np.repeat(np.arange(GROUPS), 3)
    model = binary(group, simulated(group))
    with silent():
        approx = taut.fit(model=model, random_seed=1, progressbar=False)
    is_left_to_chains = "quasi-Newton paths" in [one.name for one in approx.journal.stages]
    assert is_left_to_chains == (most > GROUPS)


def test_what_was_fitted_is_kept_where_time_ends_among_more_nodes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nodes are doubled after weights have judged; then there is no time for another climb."""
    before, climbs = marginal_stages.climb, []

    def climb(*args: Any) -> Any:
        climbs.append(args)
        if len(climbs) > 1:
            raise OutOfTime
        return before(*args)

    monkeypatch.setattr(marginal_stages, "climb", climb)
    monkeypatch.setattr(marginal_stages, "_by_nodes", lambda *_: (True, ()))
    group = np.repeat(np.arange(GROUPS), ROWS)
    y = simulated(group)
    with silent():
        approx = fitted(binary(group, y))
    assert len(climbs) == 2
    assert not approx.trusted
    assert errors(approx, exact(group, y)) < CLOSE
