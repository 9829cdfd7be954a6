"""Operations are counted from what a function does, and decide in place of a clock."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytest

import taut
from taut.engine import Timing
from taut.engine.operations import operations
from taut.gradients import Gradients
from taut.target import Space


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x + 1.0, 50.0),
        (lambda x: jnp.exp(x).sum(), 15.0 * 50 + 50),
        (lambda x: jnp.ones((30, 50)) @ x, 0.5 * 30 * 50),
        # What does not depend on the argument is computed once, and does not count.
        (lambda x: x + jnp.linalg.cholesky(jnp.eye(50))[0], 50.0),
        (lambda x: jax.lax.scan(lambda c, _: (2.0 * c, None), x, length=10)[0], 10 * (50.0 + 20)),
    ],
    ids=["sum", "exp", "product", "fixed", "scan"],
)
def test_operations_are_counted(function, expected: float) -> None:
    with jax.enable_x64(True):
        assert operations(function, np.ones(50)) == pytest.approx(expected, rel=0.05)


def test_a_factor_counts_as_a_cube() -> None:
    def counted(n: int) -> float:
        return operations(lambda x: jnp.linalg.cholesky(x * jnp.eye(n)).sum(), 1.0)

    assert 6.0 < counted(400) / counted(200) < 8.0


def test_gradients_tell_their_operations() -> None:
    """Ten times the rows take ten times the operations, whatever the machine."""
    counts = []
    for rows in (1000, 10_000):
        with pm.Model() as model:
            mu = pm.Normal("mu")
            pm.Normal("y", mu, 1.0, observed=np.zeros(rows))
        gradients = Gradients(taut.as_target(model), Timing())
        gradients(np.zeros((1, 1)))
        counts.append(gradients.operations)
    assert counts[1] / counts[0] == pytest.approx(10.0, rel=0.1)
    assert 1000 < counts[0] < 20_000


def skewed() -> taut.Target:
    return taut.Target(lambda z, data, batch: (jnp.sum(z - jnp.exp(z)), 0.0), Space.of({"z": (3,)}))  # pyright: ignore[reportArgumentType]


def test_a_clock_that_runs_ten_times_faster_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fit that is repaired, on a machine that seems ten times slower: bit-equal draws."""
    first = taut.fit(model=skewed(), random_seed=3, progressbar=False)
    clock = time.perf_counter
    monkeypatch.setattr(time, "perf_counter", lambda: 10.0 * clock())
    second = taut.fit(model=skewed(), random_seed=3, progressbar=False)
    draws = [approx.unconstrained_draws(500, random_seed=1) for approx in (first, second)]
    np.testing.assert_array_equal(*draws)
    assert [(s.name, s.gradients) for s in first.journal.stages] == [
        (s.name, s.gradients) for s in second.journal.stages
    ]
