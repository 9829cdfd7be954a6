"""A fit ends at its time limit, at whichever moment of a stage that is, and keeps its best."""

import itertools
import re
import time
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import taut
from cases import DIRECT
from taut.gradients import Gradients, OutOfTime
from taut.target import Space

# Looks at the clock after which there is no time, from the first path to the rounds of a repair.
MOMENTS = [*range(1, 8), 12, 20, 33, 54, 88, 143, 232, 376, 609]


class Clock:
    """A clock that goes on by a second whenever it is looked at."""

    def __init__(self) -> None:
        self._seconds = itertools.count()

    def perf_counter(self) -> float:
        """Return the time."""
        return float(next(self._seconds))


@pytest.fixture
def _counting(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    for module in ("gradients.base", "method.problem", "method.direct"):
        monkeypatch.setattr(f"taut.{module}.time", clock)


@pytest.fixture(scope="module")
def skewed() -> taut.Target:
    """Return a target that no Gaussian fits, so that there is a repair; it has one program."""
    return taut.Target(
        lambda z, data, batch: (jnp.sum(z - jnp.exp(z)), 0.0),  # pyright: ignore[reportCallIssue]
        Space.of({"z": (3,)}),
    )


def fitted(target: taut.Target, method: str, seconds: float) -> taut.Approximation:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return taut.fit(
            model=target, method=method, max_seconds=seconds, random_seed=1, progressbar=False
        )


@pytest.mark.usefixtures("_counting")
@pytest.mark.parametrize("seconds", MOMENTS)
def test_an_automatic_fit_keeps_its_best_at_any_moment(skewed: taut.Target, seconds: int) -> None:
    approx = fitted(skewed, "auto", seconds)
    assert approx.stopped is not None
    # A check that would not end in time is not begun.
    assert re.search("s have passed|there was no time to check it", approx.stopped)
    assert len(approx.hist) > 0
    assert np.isfinite(approx.unconstrained_draws(20, random_seed=1)).all()
    assert not approx.diagnose(chains=False).trusted


@pytest.mark.usefixtures("_counting")
@pytest.mark.parametrize("seconds", [1, 3, 10, 30])
@pytest.mark.parametrize("method", [name for name in DIRECT if name != "auto"])
def test_every_method_ends_with_what_it_has(skewed: taut.Target, method: str, seconds: int) -> None:
    approx = fitted(skewed, method, seconds)
    assert approx.stopped is not None
    assert np.isfinite(approx.unconstrained_draws(20, random_seed=1)).all()


def test_more_time_is_never_worse(skewed: taut.Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the mean, in standard deviations: of the first points, of a Gaussian, of all."""
    found = []
    for seconds in (1, 200, 10**9):
        with monkeypatch.context() as patched:
            for module in ("gradients.base", "method.problem", "method.direct"):
                patched.setattr(f"taut.{module}.time", Clock())
            approx = fitted(skewed, "auto", seconds)
        z = approx.unconstrained_draws(4000, random_seed=1)
        found.append(np.abs(z.mean(axis=0) + np.euler_gamma).max())
    assert found[0] > found[1]
    # Four standard errors of 4 000 draws whose sd is 1.28, and the noise of the chains.
    assert found[2] < 0.12


def test_the_first_block_is_evaluated_and_no_other() -> None:
    calls = []

    def density(z: jax.Array, data: object, batch: object) -> tuple[jax.Array, float]:
        jax.debug.callback(lambda: calls.append(1))
        return -0.5 * jnp.sum(z**2), 0.0

    target = taut.Target(density, Space.of({"z": (2,)}))  # pyright: ignore[reportArgumentType]
    gradients = Gradients(target, deadline=time.perf_counter())
    values, _ = gradients(np.ones((32, 2)))
    np.testing.assert_allclose(values, -1.0)
    jax.effects_barrier()
    seen = len(calls)
    with pytest.raises(OutOfTime):
        gradients(np.ones((1, 2)))
    jax.effects_barrier()
    assert len(calls) == seen > 0
