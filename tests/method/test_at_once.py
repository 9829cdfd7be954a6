"""Fits at once, in threads, in tasks and in processes, are those of one after another."""

import asyncio
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from joblib import Parallel, delayed
from threadpoolctl import threadpool_info

import taut
from taut import errors

KINDS: tuple[dict[str, Any], ...] = (
    {"method": "auto"},
    {"method": "advi", "n": 400},
    {"method": "fullrank_advi", "n": 300},
    {"method": "pathfinder"},
)


def model(kind: int) -> pm.Model:
    random = np.random.default_rng(kind)
    x = random.normal(size=60 + kind)
    with pm.Model() as built:
        at = pm.Normal("at", shape=2)
        scale = pm.HalfNormal("scale", 2.0)
        pm.Normal("y", at[0] + at[1] * x, scale, observed=1.0 + x + random.normal(size=len(x)))
    return built


def fit(kind: int) -> np.ndarray:
    approx = taut.fit(model=model(kind), random_seed=kind, progressbar=False, **KINDS[kind])
    drawn = approx.sample(50, random_seed=1)["posterior"]
    return np.concatenate([drawn["at"].values.ravel(), drawn["scale"].values.ravel(), approx.hist])


@pytest.fixture(scope="module")
def alone() -> list[np.ndarray]:
    return [fit(kind) for kind in range(len(KINDS))]


def state() -> tuple[Any, ...]:
    """What of the process a fit may not leave changed.

    Not the filters of warnings: PyTensor's sum of a constant is taken in a `catch_warnings`, which
    two threads that are in it at once leave with what one of them has added; see below.
    """
    blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return blas, jax.config.jax_enable_x64


def assert_equal(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_threads(alone: list[np.ndarray]) -> None:
    before = state()
    with ThreadPoolExecutor(len(KINDS)) as pool:
        assert_equal(list(pool.map(fit, range(len(KINDS)))), alone)
    assert state() == before


def test_a_notebook_and_a_thread_behind_it(alone: list[np.ndarray]) -> None:
    before, behind = state(), list[np.ndarray]()
    thread = threading.Thread(target=lambda: behind.append(fit(1)))
    thread.start()
    here = fit(0)
    thread.join()
    assert_equal([here, *behind], alone[:2])
    assert state() == before


def test_tasks(alone: list[np.ndarray]) -> None:
    async def both() -> list[np.ndarray]:
        return list(await asyncio.gather(*(asyncio.to_thread(fit, kind) for kind in (0, 2))))

    assert_equal(asyncio.run(both()), [alone[0], alone[2]])


def test_processes(alone: list[np.ndarray]) -> None:
    assert_equal(Parallel(n_jobs=2)(delayed(fit)(kind) for kind in (0, 1)), alone[:2])


def test_filters_of_warnings_are_put_back_by_the_last_to_leave() -> None:
    before, inside, may_leave = list(warnings.filters), threading.Event(), threading.Event()

    def longer() -> None:
        with errors.unwarned("one"):
            inside.set()
            may_leave.wait(10)

    thread = threading.Thread(target=longer)
    with errors.unwarned("another"):
        thread.start()
        inside.wait(10)
    may_leave.set()
    thread.join()
    assert list(warnings.filters) == before


def test_filters_of_others_are_left_alone() -> None:
    """Somebody who is in a `catch_warnings` in another thread leaves it before us, or after."""
    for ours_is_last in (True, False):
        before, other = list(warnings.filters), warnings.catch_warnings()
        other.__enter__()
        warnings.simplefilter("ignore", RuntimeWarning)
        with errors.unwarned("one"):
            if ours_is_last:
                other.__exit__(None, None, None)
        if not ours_is_last:
            other.__exit__(None, None, None)
        assert list(warnings.filters) == before


def test_a_filter_of_the_user_s_own_stays() -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="one")
        before = list(warnings.filters)
        with errors.unwarned("one"):
            warnings.warn("one of many", UserWarning, stacklevel=1)
        assert list(warnings.filters) == before


def test_pytensor_alone_leaves_a_filter() -> None:
    """What fits in threads leave of PyTensor's; once it does not, `state` can look at filters."""
    first, second = (constant_signature() for _ in range(2))
    with warnings.catch_warnings():
        before = list(warnings.filters)
        # The second comes and the first leaves while the second is inside.
        meet, wait = threading.Event(), threading.Event()
        first._no_nan = Summed(lambda: (meet.set(), wait.wait(10)))
        second._no_nan = Summed(lambda: (wait.set(), thread.join(10)))
        thread = threading.Thread(target=lambda: first.sum)
        thread.start()
        meet.wait(10)
        _ = second.sum
        left = [one for one in warnings.filters if one not in before]
    assert [one[2] for one in left] == [RuntimeWarning]


class Summed:
    """An array that does something while it is summed."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self._act = act

    def sum(self) -> float:
        self._act()
        return 0.0


def constant_signature() -> Any:
    signature: Any = pt.constant(np.arange(3.0)).signature()
    signature.has_nan = False
    return signature


def test_a_thread_is_silent_alone() -> None:
    with errors.silent(), pytest.warns(UserWarning, match="heard") as heard:
        errors.warn("not heard by anybody")
        thread = threading.Thread(target=lambda: errors.warn("heard"))
        thread.start()
        thread.join()
    assert [str(one.message) for one in heard] == ["heard"]
