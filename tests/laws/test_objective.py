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
from taut.family import AbstractFamily, MeanField
from taut.objective import ELBO, AbstractObjective, as_elbo, path, total

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
    """Give losses and flat gradients for independent noise, and batches, one a row."""
    keys = jax.random.split(jax.random.key(1), repeats)
    losses, gradients = _evaluate(objective, family, target, keys)
    return np.asarray(losses), flat(gradients, repeats)


@eqx.filter_jit
def _evaluate(
    objective: AbstractObjective, family: AbstractFamily, target: taut.Target, keys: Any
) -> tuple[Any, Any]:
    def once(key: Any) -> tuple[Any, Any]:
        noise_key, batch_key = jax.random.split(key)
        noise, batch = objective.noise(family, noise_key), target.batches.draw(batch_key)
        return eqx.filter_value_and_grad(objective.loss)(family, target, batch, noise)

    return jax.vmap(once)(keys)


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
    """Tell whether the mean of the rows is the truth, within its standard error."""
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
