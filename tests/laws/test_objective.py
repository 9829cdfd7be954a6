"""What holds for every objective and both ways to differentiate it, on Gaussian targets."""

from dataclasses import replace
from functools import cache
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import PyTree

import taut
from cases import (
    ELBOS,
    FAMILIES,
    GAUSSIAN,
    OBJECTIVES,
    TARGETS,
    full_rank,
    full_rank_of,
    regression,
)
from taut.errors import ArgumentError
from taut.family import AbstractFamily, FullRank, MeanField
from taut.objective import (
    ELBO,
    IWELBO,
    AbstractObjective,
    Renyi,
    as_elbo,
    as_objective,
    path,
    total,
)

# Means over this many repetitions are compared at five standard errors. A test looks at 30 numbers
# at most, each of which is farther off by chance once in 1.7 million: 1 seed in 57 000 fails. The
# seeds are fixed.
REPEATS, ERRORS = 4000, 5.0

# Every objective with one family, every family with one objective of each estimator, and the
# same on random batches.
PLACE, BATCHED = "regression, 5-d", "regression, 5-d, in batches"
WAYS = ["elbo, total, 1 draw", "elbo, path, 1 draw"]
ROWS = [(name, PLACE, "full rank, 5-d") for name in ELBOS]
ROWS += [(w, PLACE, f) for w in WAYS for f in GAUSSIAN if "5-d" in f and f != "full rank, 5-d"]
ROWS += [(way, BATCHED, "full rank, 5-d") for way in WAYS]

each_row = pytest.mark.parametrize(("name", "where", "family"), ROWS)


def evaluate(
    objective: AbstractObjective, family: AbstractFamily, target: taut.Target, repeats: int
) -> tuple[np.ndarray, np.ndarray]:
    """Evaluate losses and flat gradients for independent noise, and batches, one a row."""
    keys = jax.random.split(jax.random.key(1), repeats)
    noise, batches = _draw(objective, family, target, keys)
    losses, gradients = _evaluate(objective, family, target, batches, noise)
    return np.asarray(losses), flat(gradients, repeats)


# A program of its own, which is one for all objectives: what makes random bits compiles long.
@eqx.filter_jit
def _draw(
    objective: AbstractObjective, family: AbstractFamily, target: taut.Target, keys: Any
) -> tuple[Any, Any]:
    def once(key: Any) -> tuple[Any, Any]:
        noise_key, batch_key = jax.random.split(key)
        return objective.noise(family, noise_key), target.batches.draw(batch_key)

    return jax.vmap(once)(keys)


@eqx.filter_jit
def _evaluate(
    objective: AbstractObjective, family: AbstractFamily, target: taut.Target, batches: Any,
    noise: Any,
) -> tuple[Any, Any]:  # fmt: skip
    loss = eqx.filter_value_and_grad(objective.loss)
    return jax.vmap(lambda batch, noise: loss(family, target, batch, noise))(batches, noise)


@cache
def target_of(where: str) -> taut.Target:
    """The target of a row: one object for all laws, which so share their programs."""
    return TARGETS[where]().target()


@cache
def evaluated(name: str, where: str, family: str) -> tuple[np.ndarray, np.ndarray]:
    """The same for a row, once for all laws about it."""
    return evaluate(OBJECTIVES[name](), FAMILIES[family](), target_of(where), REPEATS)


def flat(gradients: PyTree, repeats: int) -> np.ndarray:
    """Join the leaves of gradients to one vector for each repetition."""
    return np.concatenate(
        [np.reshape(g, (repeats, -1)) for g in jax.tree.leaves(gradients)], axis=1
    )


def agrees(values: np.ndarray, truth: Any) -> bool:
    """Return whether the mean of the rows is the truth, within its standard error."""
    error = values.std(axis=0) / np.sqrt(len(values))
    # What has no noise may be off by rounding.
    return bool(np.all(np.abs(values.mean(axis=0) - truth) < ERRORS * error + 1e-9))


def _beta(name: str) -> float:
    objective = OBJECTIVES[name]()
    assert isinstance(objective, ELBO)
    return float(objective.beta)


@each_row
def test_expected_loss_is_the_closed_form(name: str, where: str, family: str) -> None:
    losses, _ = evaluated(name, where, family)
    truth = TARGETS[where]().loss(FAMILIES[family](), _beta(name))
    assert agrees(losses[:, None], float(truth))


@each_row
def test_gradient_is_unbiased(name: str, where: str, family: str) -> None:
    _, gradients = evaluated(name, where, family)
    model, beta = TARGETS[where](), _beta(name)
    truth = jax.grad(lambda q: model.loss(q, beta))(FAMILIES[family]())
    assert agrees(gradients, flat(truth, 1)[0])


@pytest.mark.parametrize("n_mc", [1, 3])
@pytest.mark.parametrize("kind", ["full rank", "mean field"])
def test_path_gradient_vanishes_where_q_is_the_posterior(kind: str, n_mc: int) -> None:
    where = {"full rank": "regression, 5-d", "mean field": "independent, 5-d"}[kind]
    model, target = TARGETS[where](), target_of(where)
    if kind == "full rank":
        q = full_rank_of(model.posterior_mean, model.posterior_cov)
    else:
        q = MeanField.at(model.posterior_mean, np.sqrt(np.diag(model.posterior_cov)))
    losses, gradients = evaluate(ELBO(n_mc, estimator=path), q, target, 100)
    assert np.abs(gradients).max() < 1e-10
    # And the loss itself has no noise: it is the negative log evidence at every draw.
    assert np.ptp(losses) < 1e-10
    _, noisy = evaluate(ELBO(n_mc, estimator=total), q, target, 100)
    assert np.abs(noisy).max() > 0.1


@pytest.mark.parametrize("name", WAYS)
def test_variance_of_the_gradient_falls_like_one_over_draws(name: str) -> None:
    """The slope of log variance against log draws is -1.

    From 4000 repetitions a variance is known to 3 % or better, and a slope over a factor of 16
    to 0.015: five errors are allowed.
    """
    one, q = OBJECTIVES[name](), full_rank(5)
    assert isinstance(one, ELBO)
    target, counts = target_of("regression, 5-d"), np.array([1, 4, 16])
    variances = [
        evaluate(replace(one, n_mc=int(n)), q, target, REPEATS)[1].var(axis=0).sum() for n in counts
    ]
    slope = np.polyfit(np.log(counts), np.log(variances), 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.08)


def test_both_estimators_give_the_same_loss() -> None:
    q, target = full_rank(5), regression(5).target()
    noise = ELBO(3).noise(q, jax.random.key(2))
    losses = [float(ELBO(3, estimator=way).loss(q, target, (), noise)) for way in (total, path)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)


@pytest.mark.parametrize("way", [total, path])
def test_beta_weighs_the_kl_term_alone(way: Any) -> None:
    q, target = full_rank(5), regression(5).target()
    noise = ELBO(3).noise(q, jax.random.key(2))
    losses = {
        beta: float(ELBO(3, np.asarray(beta), way).loss(q, target, (), noise))
        for beta in (0.25, 1.0, 2.0)
    }
    z = jax.vmap(lambda noise: q.push(noise)[0])(noise)
    likelihood = float(jnp.mean(jax.vmap(target.log_likelihood)(z)))
    kl = losses[1.0] + likelihood
    for beta, loss in losses.items():
        assert loss == pytest.approx(beta * kl - likelihood, rel=1e-12)


@pytest.mark.parametrize("way", [total, path])
@pytest.mark.parametrize("batch_rows", [1, 3, 12])
def test_mean_over_the_batches_of_an_epoch_is_the_loss_of_all_rows(
    batch_rows: int, way: Any
) -> None:
    model = regression(5, rows=12, batch_rows=batch_rows)
    target, q, objective = model.target(), full_rank(5), ELBO(2, estimator=way)
    noise = objective.noise(q, jax.random.key(3))
    loss = eqx.filter_jit(eqx.filter_value_and_grad(objective.loss))
    starts = range(0, 12, batch_rows)
    batches = [((model.x[i : i + batch_rows], model.y[i : i + batch_rows]),) for i in starts]
    parts = [loss(q, target, batch, noise) for batch in batches]
    mean = jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *parts)
    whole = loss(q, target, target.whole, noise)
    for ours, theirs in zip(jax.tree.leaves(mean), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


def test_more_draws_than_fit_the_cache_at_once_give_the_same_loss() -> None:
    """With 60 000 rows the draws go through the CPU one after another."""
    small, large = regression(2, rows=50), regression(2, rows=60_000)
    objective = ELBO(4)
    q = full_rank(2)
    noise = objective.noise(q, jax.random.key(4))
    for model in (small, large):
        one_by_one = [ELBO(1).loss(q, model.target(), (), noise[i : i + 1]) for i in range(4)]
        together = objective.loss(q, model.target(), (), noise)
        np.testing.assert_allclose(together, np.mean(one_by_one), rtol=1e-12)


def test_draws_of_a_loss_are_independent() -> None:
    q = full_rank(5)
    noise = np.asarray(ELBO(4).noise(q, jax.random.key(5)))
    assert noise.shape == (4, 5)
    assert len(np.unique(noise)) == noise.size


@pytest.mark.parametrize("beta", [0.0, -1.0, np.nan, np.inf, True, "1", None, [1.0]])
def test_a_weight_that_makes_no_sense_is_refused(beta: Any) -> None:
    with pytest.raises(ArgumentError, match="beta"):
        as_elbo(beta, "total")


def test_an_unknown_gradient_is_refused_with_those_there_are() -> None:
    with pytest.raises(ArgumentError, match='"total" or "path"'):
        as_elbo(1.0, "score")  # ty: ignore


def test_the_words_of_a_user_become_an_objective() -> None:
    elbo = as_elbo(0.5, "path")
    assert float(elbo.beta) == 0.5
    assert elbo.estimator is path


@cache
def near_posterior() -> tuple[taut.Target, FullRank, float, Any]:
    """A target, a Gaussian beside its posterior, the log evidence and the model.

    One object for all laws, which so share their programs.
    """
    model = regression(2)
    spread = np.diag(np.linspace(0.8, 1.4, 2))
    shift = 0.5 * np.sqrt(np.diag(model.posterior_cov))
    q = full_rank_of(model.posterior_mean + shift, spread @ model.posterior_cov @ spread)
    exact = full_rank_of(model.posterior_mean, model.posterior_cov)
    return model.target(), q, -float(model.loss(exact)), model


def divergence(alpha: float, q: AbstractFamily, model: Any) -> float:
    """Rényi's divergence of order alpha between two Gaussians (Gil, Alajaji, Linder 2013)."""
    away = np.asarray(q.mean()) - model.posterior_mean
    own, theirs = np.asarray(q.cov()), model.posterior_cov
    mixed = alpha * theirs + (1 - alpha) * own
    log_dets = [np.linalg.slogdet(c)[1] for c in (mixed, own, theirs)]
    excess = log_dets[0] - (1 - alpha) * log_dets[1] - alpha * log_dets[2]
    return 0.5 * alpha * away @ np.linalg.solve(mixed, away) - 0.5 / (alpha - 1) * excess


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 0.9, 1.2])
def test_many_draws_give_the_divergence_of_renyi(alpha: float) -> None:
    """The bias falls as 1/S: with 20 000 draws it is far under the standard error of 40 losses."""
    target, q, evidence, model = near_posterior()
    losses, _ = evaluate(Renyi(alpha, 20_000), q, target, 40)
    truth = -evidence + (divergence(alpha, q, model) if alpha else 0.0)
    assert agrees(losses[:, None], truth)


def test_the_importance_weighted_bound_rises_to_the_log_evidence() -> None:
    """And never goes above it, in the mean; the gaps are many standard errors wide."""
    target, q, evidence, _ = near_posterior()
    gaps = [evidence + evaluate(IWELBO(k), q, target, REPEATS)[0].mean() for k in (1, 4, 16, 256)]
    assert gaps[0] > 1.5 * gaps[1] > 2 * gaps[2] > 0.0
    assert abs(gaps[3]) < 0.02


def test_lower_orders_give_higher_bounds() -> None:
    """At the same draws, by Jensen's inequality; without a doubt, for it holds for each loss."""
    target, q, _, _ = near_posterior()
    orders = (-1.0, 0.0, 0.5, 1.0, 2.0)
    losses = [evaluate(Renyi(alpha, 10), q, target, 50)[0] for alpha in orders]
    assert np.all(np.diff(losses, axis=0) > 0)


@pytest.mark.parametrize("way", [total, path])
@pytest.mark.parametrize("alpha", [-0.5, 0.0, 0.5, 2.0])
def test_one_draw_is_the_elbo(alpha: float, way: Any) -> None:
    target, q, _, _ = near_posterior()
    ours = evaluate(Renyi(alpha, 1, way), q, target, 20)
    theirs = evaluate(ELBO(1, estimator=way), q, target, 20)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("way", [total, path])
def test_order_one_is_the_elbo_and_its_neighbours_are_near(way: Any) -> None:
    target, q, _, _ = near_posterior()
    theirs = evaluate(ELBO(7, estimator=way), q, target, 20)
    for alpha, error in ((1.0, 1e-10), (1.0 - 1e-6, 1e-4), (1.0 + 1e-6, 1e-4)):
        ours = evaluate(Renyi(alpha, 7, way), q, target, 20)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=error, atol=error)


def test_order_zero_is_the_importance_weighted_bound() -> None:
    target, q, _, _ = near_posterior()
    for way in (total, path):
        ours = evaluate(Renyi(0.0, 6, way), q, target, 20)
        theirs = evaluate(IWELBO(6, way), q, target, 20)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("alpha", [-0.5, 0.0, 0.5, 2.0])
def test_both_gradients_of_a_bound_have_one_mean(alpha: float) -> None:
    """That along the path, reparametrised twice, is unbiased like that of the bound itself.

    The same noise makes both, so that their difference is what has a standard error.
    """
    target, q, _, _ = near_posterior()
    ways = [evaluate(Renyi(alpha, 5, way), q, target, REPEATS) for way in (total, path)]
    np.testing.assert_allclose(ways[0][0], ways[1][0], rtol=1e-10)
    assert agrees(ways[0][1] - ways[1][1], 0.0)
    assert np.abs(ways[0][1] - ways[1][1]).max() > 0.1


def test_gradient_of_a_bound_is_that_of_its_value() -> None:
    """The total gradient against central differences, at the same noise."""
    target, q, _, _ = near_posterior()
    objective = Renyi(0.5, 5)
    noise = objective.noise(q, jax.random.key(6))
    slope = jax.grad(lambda mu: objective.loss(FullRank(mu, q.factor), target, (), noise))(q.mu)
    for i in range(2):
        step = 1e-5 * np.eye(2)[i]
        ends = [objective.loss(FullRank(q.mu + s, q.factor), target, (), noise)
                for s in (step, -step)]  # fmt: skip
        assert float(slope[i]) == pytest.approx(float(ends[0] - ends[1]) / 2e-5, rel=1e-6)


@pytest.mark.parametrize("objective", [IWELBO(5, path), Renyi(0.5, 5, path), Renyi(2.0, 5, path)])
def test_path_gradient_of_a_bound_vanishes_where_q_is_the_posterior(
    objective: AbstractObjective,
) -> None:
    target, _, evidence, model = near_posterior()
    q = full_rank_of(model.posterior_mean, model.posterior_cov)
    losses, gradients = evaluate(objective, q, target, 50)
    assert np.abs(gradients).max() < 1e-10
    np.testing.assert_allclose(losses, -evidence, rtol=1e-10)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_objective_is_estimated_from_as_many_draws_as_one_likes(name: str) -> None:
    one = OBJECTIVES[name]()
    assert one.with_draws(None) == one
    more: Any = one.with_draws(7)
    assert type(more) is type(one)
    assert len(jax.tree.leaves(more.noise(full_rank(2), jax.random.key(0)))[0]) == 7
    assert replace(more, n_mc=getattr(one, "n_mc")) == one  # noqa: B009


@pytest.mark.parametrize("alpha", [np.nan, np.inf, True, "1", None])
def test_an_order_that_makes_no_sense_is_refused(alpha: Any) -> None:
    with pytest.raises(ArgumentError, match="alpha"):
        Renyi(alpha)


def test_an_objective_is_taken_as_it_is() -> None:
    renyi = Renyi()
    assert as_objective(renyi, 1.0, "total") is renyi
    assert as_objective(None, 1.0, "path") == as_elbo(1.0, "path")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((Renyi(), 0.5, "total"), "beta and gradient"),
        ((Renyi(), 1.0, "path"), "beta and gradient"),
        (("renyi", 1.0, "total"), "one of taut.objective"),
        ((Renyi, 1.0, "total"), "one of taut.objective"),
    ],
)
def test_what_is_no_objective_is_refused(given: Any, says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        as_objective(*given)
