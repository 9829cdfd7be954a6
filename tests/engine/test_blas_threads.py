"""Linear algebra of a fit stays on one thread, and the setting is put back."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pymc as pm
import pytest
import scipy.linalg  # noqa: F401 - its BLAS is one of those that are looked at
from threadpoolctl import ThreadpoolController, threadpool_limits

import taut
from taut.chains import Chains
from taut.engine import single_threaded
from taut.gradients import Gradients


def threads() -> set[int]:
    """Return how many threads each BLAS in this process may take."""
    return {
        pool["num_threads"] for pool in ThreadpoolController().info() if pool["user_api"] == "blas"
    }


@pytest.fixture(autouse=True)
def _two() -> Iterator[None]:
    with threadpool_limits(2, user_api="blas"):
        if threads() != {2}:
            pytest.skip("this BLAS has no threads")
        yield


@pytest.mark.parametrize(("dim", "inside"), [(1, 1), (3999, 1), (4000, 2)])
def test_small_matrices_have_one_thread(dim: int, inside: int) -> None:
    with single_threaded(dim):
        assert threads() == {inside}
    assert threads() == {2}


def test_the_setting_is_put_back_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), single_threaded(1):
        raise ZeroDivisionError
    assert threads() == {2}


def test_the_last_to_leave_puts_it_back() -> None:
    """Of fits in two threads, the one that began first may end first."""
    first, second = single_threaded(1), single_threaded(1)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert threads() == {1}
    second.__exit__(None, None, None)
    assert threads() == {2}


@pytest.fixture
def model() -> pm.Model:
    with pm.Model() as model:
        pm.Normal("x", 0.0, 1.0, shape=2)
    return model


def seen(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[set[int]]:
    """Look at the threads whenever a method is called."""
    found, method = [], getattr(owner, name)

    def look(*args: Any, **kwargs: Any) -> Any:
        found.append(threads())
        return method(*args, **kwargs)

    monkeypatch.setattr(owner, name, look)
    return found


def test_a_fit_its_check_and_its_repair_have_one(
    model: pm.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    gradients, moves = seen(monkeypatch, Gradients, "_evaluate"), seen(monkeypatch, Chains, "run")
    approx = taut.fit(model=model, random_seed=1, progressbar=False)
    assert threads() == {2}
    assert gradients
    assert all(one == {1} for one in gradients)
    moves.clear()
    other = taut.fit(method="advi", n=100, model=model, random_seed=1, progressbar=False)
    other.diagnose(random_seed=1)
    other.repair(1, random_seed=1)
    assert moves
    assert all(one == {1} for one in moves)
    assert threads() == {2}
    np.testing.assert_allclose(approx.mean.eval(), [0.0, 0.0], atol=0.05)


def gaussian_process(rows: int) -> pm.Model:
    with pm.Model() as model:
        process = pm.gp.Marginal(cov_func=pm.gp.cov.ExpQuad(1, pm.LogNormal("length")))
        process.marginal_likelihood("y", np.linspace(0, 1, rows)[:, None], np.zeros(rows), 0.1)
    return model


def line(rows: int) -> pm.Model:
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu"), 1.0, observed=np.zeros(rows))
    return model


def test_steps_have_one(model: pm.Model) -> None:
    seen: list[set[int]] = []
    taut.fit(
        100, method="advi", model=model, progressbar=False,
        callbacks=[lambda *_: seen.append(threads())],
    )  # fmt: skip
    assert seen
    assert all(one == {1} for one in seen)
    assert threads() == {2}


@pytest.mark.parametrize(
    ("build", "largest"), [(gaussian_process, 800), (line, 1)], ids=["process", "line"]
)
def test_a_density_that_factors_matrices_of_its_rows_keeps_its_threads(
    build: Any, largest: int
) -> None:
    assert taut.as_target(build(800)).largest_matrix == largest
