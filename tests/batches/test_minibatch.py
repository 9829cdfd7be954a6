"""`pymc.Minibatch` in a model: its batches add up to all rows."""

import jax
import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytest

import taut
from cases import full_rank
from taut.objective import ELBO

ROWS = 12
X = np.random.default_rng(0).normal(size=(ROWS, 2))
Y = X @ np.array([1.0, -0.5]) + np.random.default_rng(1).normal(size=ROWS)


@pytest.fixture(scope="module")
def target() -> taut.Target:
    """A regression on batches of three rows."""
    with pm.Model() as model:
        x, y = pm.Minibatch(X, Y, batch_size=3)
        slope = pm.Normal("slope", shape=2)
        pm.Normal("y", x @ slope, 0.5, observed=y, total_size=ROWS)
    return taut.as_target(model)


def test_a_batch_has_the_rows_pymc_would_draw(target: taut.Target) -> None:
    ((x, y),) = target.batches.draw(jax.random.key(0))
    assert (x.shape, y.shape) == ((3, 2), (3,))
    number = [int(np.argmin(np.abs(Y - value))) for value in np.asarray(y)]
    np.testing.assert_allclose(x, X[number], rtol=1e-6)


def test_mean_over_the_batches_of_an_epoch_is_the_loss_of_all_rows(target: taut.Target) -> None:
    q, objective = full_rank(2), ELBO(2)
    with target.precision():
        noise = objective.noise(q, jax.random.key(1))
        batches = [((X[i : i + 3], Y[i : i + 3]),) for i in range(0, ROWS, 3)]
        losses = [objective.loss(q, target, batch, noise) for batch in batches]
        whole = objective.loss(q, target, target.whole, noise)
        np.testing.assert_allclose(jnp.mean(jnp.stack(losses)), whole, rtol=1e-12)


def test_all_rows_are_the_model_without_batches(target: taut.Target) -> None:
    with pm.Model() as model:
        slope = pm.Normal("slope", shape=2)
        pm.Normal("y", X @ slope, 0.5, observed=Y)
    with target.precision():
        z = np.array([0.3, -0.2])
        ours = float(target.log_density(z))
    assert ours == pytest.approx(float(model.compile_logp()({"slope": z})), rel=1e-12)
