"""The loop: its results depend on nothing but method, target and seed, however it is cut up."""

from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, PyTree

import taut
from cases import regression
from taut.batches import ConstantFeed
from taut.callbacks import AbstractObserver
from taut.descent import AbstractStepper, Descent, Run, run_loop
from taut.descent.chunk import BUFFER, PATIENCE
from taut.descent.history import History
from taut.engine import Timing
from taut.errors import NotFiniteError
from taut.family import AbstractFamily, MeanField
from taut.objective import ELBO
from taut.progress import (
    FINISHED,
    INTERRUPTED,
    NOT_FINITE,
    AbstractProgress,
    RichProgress,
    SilentProgress,
)

MODEL = regression(3)
METHOD = Descent(ELBO(2), taut.adam(learning_rate=0.05))


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def target() -> taut.Target:
    """One target for the module, whose tests so share their programs."""
    return MODEL.target()


class Watch(AbstractObserver):
    """Looks every so many steps, notes them, and does something at one of them."""

    def __init__(self, every: int, at: int = -1, act: Callable[[], None] = lambda: None) -> None:
        self.every, self.at, self.act = every, at, act
        self.seen: list[int] = []

    def next_look(self, done: int) -> int:
        return (done // self.every + 1) * self.every

    def look(self, state: PyTree, losses: np.ndarray) -> None:
        self.seen.append(len(losses))
        if len(losses) == self.at:
            self.act()


class Notes(AbstractProgress):
    """Remembers what it is told."""

    def start(self, steps: int) -> None:
        self.told: list[Any] = [steps]

    def update(self, losses: np.ndarray, stage: str = "") -> None:
        self.told.append(len(losses))

    def finish(self, losses: np.ndarray, stopped: str | None) -> None:
        self.told += [len(losses), stopped]


class Walk(AbstractStepper):
    """Goes up by one each step; `loss` and `where` say what becomes of it, and may be NaN."""

    loss: Callable[[Array, Array], Array] = eqx.field(static=True)
    where: Callable[[Array, Array], Array] = eqx.field(static=True, default=lambda mu, key: mu + 1)

    def init(self, family: AbstractFamily) -> PyTree:
        return family

    def step(
        self, state: PyTree, target: taut.Target, batch: PyTree, key: Any
    ) -> tuple[PyTree, Array]:
        loss = self.loss(state.mu[0], key)
        return MeanField(self.where(state.mu, key), state.rho), loss

    def moved(self, state: PyTree, family: AbstractFamily) -> PyTree:
        return family

    def family(self, state: PyTree) -> AbstractFamily:
        return state


def begin(method: AbstractStepper = METHOD, seed: int = 1) -> Run:
    """A run before its first step, at the origin."""
    return Run(jax.tree.map(np.asarray, method.init(MeanField(np.zeros(3), np.zeros(3)))), seed)


def go(
    run: Run,
    target: taut.Target,
    steps: int,
    method: AbstractStepper = METHOD,
    observer: AbstractObserver | None = None,
    progress: AbstractProgress | None = None,
    longest_chunk: int = BUFFER,
) -> Run:
    """Take steps, looked at by nobody where nobody is named."""
    run_loop(
        run,
        method,
        target,
        ConstantFeed(target.batches),
        steps,
        observer=observer or Watch(every=10**9),
        progress=progress or SilentProgress(),
        timing=Timing(),
        longest_chunk=longest_chunk,
    )
    return run


def assert_same(one: Run, other: Run) -> None:
    """Fail unless two runs are equal to the last bit."""
    assert eqx.tree_equal(
        jax.tree.map(np.asarray, one.state), jax.tree.map(np.asarray, other.state)
    )
    np.testing.assert_array_equal(one.history.since(0), other.history.since(0))
    ends = [(r.step, r.skipped, r.in_a_row, r.stopped) for r in (one, other)]
    assert ends[0] == ends[1]


def unlucky(mu: Array, key: Array) -> Array:
    """A loss that is NaN in three steps of ten."""
    return jnp.where(jax.random.uniform(key) < 0.3, jnp.nan, mu)


def wall(mu: Array, key: Array) -> Array:
    """A loss that is infinite from 37 on."""
    return jnp.where(mu >= 37, jnp.inf, mu)


@pytest.fixture(scope="module")
def plain(target: taut.Target) -> Run:
    """The run that all others are compared to: 300 steps, nobody looking."""
    with jax.enable_x64(True):
        return go(begin(), target, 300)


@pytest.mark.parametrize("longest", [1, 7, 8192])
def test_length_of_chunks_changes_no_bit(longest: int, target: taut.Target, plain: Run) -> None:
    assert_same(go(begin(), target, 300, longest_chunk=longest), plain)


@pytest.mark.parametrize("every", [1, 7, 100, 299, 300, 1000])
def test_being_looked_at_changes_no_bit(every: int, target: taut.Target, plain: Run) -> None:
    watch = Watch(every)
    assert_same(go(begin(), target, 300, observer=watch), plain)
    due = [step for step in watch.seen if step % every == 0]
    assert due == list(range(every, 301, every))


@pytest.mark.parametrize("progress", [Notes, SilentProgress, RichProgress])
def test_being_told_of_changes_no_bit(
    progress: Callable[[], AbstractProgress], target: taut.Target, plain: Run
) -> None:
    assert_same(go(begin(), target, 300, progress=progress()), plain)


def test_two_calls_are_one_longer_call(target: taut.Target, plain: Run) -> None:
    run = go(begin(), target, 100)
    assert (run.step, len(run.history)) == (100, 100)
    assert_same(go(run, target, 200), plain)


def test_the_seed_decides_the_steps(target: taut.Target, plain: Run) -> None:
    other = go(begin(seed=2), target, 300)
    assert not np.array_equal(other.history.since(0), plain.history.since(0))


def test_one_program_serves_all_chunks() -> None:
    target = MODEL.target()
    run = begin()
    for longest, steps in [(1, 3), (7, 30), (8192, 9000)]:
        go(run, target, steps, longest_chunk=longest, observer=Watch(every=1000))
    assert run.step == 9033
    assert target.programs.count == 1


def test_a_fit_is_longer_than_the_buffer(target: taut.Target) -> None:
    walk = Walk(lambda mu, key: mu)
    run = go(begin(walk), target, BUFFER + 11, walk)
    np.testing.assert_array_equal(run.history.since(0), np.arange(BUFFER + 11))


def test_the_loss_is_the_one_before_the_step(target: taut.Target) -> None:
    walk = Walk(lambda mu, key: mu)
    run = go(begin(walk), target, 5, walk)
    np.testing.assert_array_equal(run.history.since(0), [0, 1, 2, 3, 4])
    assert float(run.state.mu[0]) == 5


def test_progress_is_told_of_every_chunk_and_of_the_end(target: taut.Target) -> None:
    notes = Notes()
    go(begin(), target, 30, progress=notes, longest_chunk=10)
    assert notes.told[0] == 30
    assert notes.told[-2:] == [30, FINISHED]
    between = notes.told[1:-2]
    assert between == sorted(between)
    assert between[-1] == 30


@pytest.mark.parametrize("longest", [1, 7, 8192])
def test_a_step_without_a_finite_loss_is_skipped_and_counted(
    longest: int, target: taut.Target
) -> None:
    walk = Walk(unlucky)
    run = go(begin(walk), target, 200, walk, longest_chunk=longest)
    losses = run.history.since(0)
    skipped = int(np.isnan(losses).sum())
    assert 30 < skipped < 90
    assert (run.step, run.skipped, run.stopped) == (200, skipped, FINISHED)
    # Each of the others went up by one, from where the last good one had left the state.
    assert float(run.state.mu[0]) == 200 - skipped
    np.testing.assert_array_equal(losses[np.isfinite(losses)], np.arange(200 - skipped))


def test_a_step_to_parameters_that_are_not_finite_is_skipped(target: taut.Target) -> None:
    jump = Walk(
        lambda mu, key: mu,
        lambda mu, key: jnp.where(jax.random.uniform(key) < 0.3, jnp.inf, mu + 1),
    )
    run = go(begin(jump), target, 200, jump)
    assert np.isfinite(run.history.since(0)).all()
    assert 30 < run.skipped < 90
    assert float(run.state.mu[0]) == 200 - run.skipped


@pytest.mark.parametrize("longest", [1, 7, 8192])
def test_a_fit_that_does_not_recover_ends_with_the_last_good_state(
    longest: int, target: taut.Target
) -> None:
    walk = Walk(wall)
    run = go(begin(walk), target, 5000, walk, longest_chunk=longest)
    assert run.stopped == NOT_FINITE
    assert (run.step, run.skipped, run.in_a_row) == (37 + PATIENCE, PATIENCE, PATIENCE)
    assert len(run.history) == 37 + PATIENCE
    assert float(run.state.mu[0]) == 37


def test_a_fit_may_end_before_patience_does(target: taut.Target) -> None:
    walk = Walk(wall)
    run = go(begin(walk), target, 36 + PATIENCE, walk)
    assert (run.stopped, run.skipped) == (FINISHED, PATIENCE - 1)


def test_patience_starts_anew_with_each_call(target: taut.Target) -> None:
    walk = Walk(wall)
    run = go(begin(walk), target, 5000, walk)
    go(run, target, 5000, walk)
    assert (run.stopped, run.skipped) == (NOT_FINITE, 2 * PATIENCE)


def interrupt() -> None:
    """What Ctrl-C does."""
    raise KeyboardInterrupt


def stop_for_a_reason() -> None:
    """What a callback does that has seen enough."""
    raise StopIteration("enough")


def stop() -> None:
    """The same without a word."""
    raise StopIteration


ENDS = [
    (interrupt, INTERRUPTED),
    (stop_for_a_reason, "enough"),
    (stop, "a callback raised StopIteration"),
]


@pytest.mark.parametrize(("act", "stopped"), ENDS)
@pytest.mark.parametrize(("at", "steps"), [(1, 300), (1, 1), (3, 5), (5, 5), (120, 300)])
def test_whoever_looks_on_can_end_a_fit(
    act: Callable[[], None], stopped: str, at: int, steps: int, target: taut.Target
) -> None:
    notes = Notes()
    run = go(begin(), target, steps, observer=Watch(1, at, act), progress=notes)
    assert (run.step, len(run.history), run.stopped) == (at, at, stopped)
    assert notes.told[-2:] == [at, stopped]
    assert_same_steps(run, go(begin(), target, at))


def assert_same_steps(one: Run, other: Run) -> None:
    """Fail unless two runs took the same steps, however they ended."""
    one.stopped = other.stopped
    assert_same(one, other)


def test_a_run_goes_on_where_it_was_interrupted(target: taut.Target, plain: Run) -> None:
    run = go(begin(), target, 300, observer=Watch(1, 120, interrupt))
    assert_same(go(run, target, 180), plain)


def test_any_other_exception_comes_out_and_leaves_the_run_up_to_date(target: taut.Target) -> None:
    def fail() -> None:
        raise RuntimeError("mine")

    notes, run = Notes(), begin()
    with pytest.raises(RuntimeError, match="mine"):
        go(run, target, 300, observer=Watch(1, 12, fail), progress=notes)
    assert (run.step, len(run.history)) == (12, 12)
    assert notes.told[-2] == 12
    assert_same_steps(run, go(begin(), target, 12))


def test_history_grows_by_chunks() -> None:
    history, parts = History(), [np.arange(3.0), np.empty(0), np.arange(100.0), np.array([7.0])]
    for part in parts:
        history.append(part)
    assert len(history) == 104
    np.testing.assert_array_equal(history.since(0), np.concatenate(parts))
    np.testing.assert_array_equal(history.since(103), [7.0])
    assert len(history.since(104)) == 0


def test_history_that_was_read_stays_as_it_was() -> None:
    history = History()
    history.append(np.array([1.0]))
    early = history.since(0)
    for i in range(100):
        history.append(np.array([float(i)]))
    np.testing.assert_array_equal(early, [1.0])
    with pytest.raises(ValueError, match="read-only"):
        early[0] = 2.0


# The same, as a user of `taut.fit` meets it.


def advi(target: taut.Target) -> taut.ADVI:
    """An inference object with a seed."""
    return taut.ADVI(model=target, random_seed=1)


def at(step: int, act: Callable[[], None]) -> Callable[..., None]:
    """A callback that does something at one step."""

    def callback(approx: Any, losses: Any, i: int) -> None:
        if i == step:
            act()

    return callback


@pytest.mark.parametrize(("act", "stopped"), ENDS)
@pytest.mark.parametrize(("step", "n"), [(1, 100), (1, 1), (4, 6), (50, 100)])
@pytest.mark.parametrize("progressbar", [True, False])
def test_a_callback_can_end_a_fit(
    act: Callable[[], None],
    stopped: str,
    step: int,
    n: int,
    progressbar: bool,
    target: taut.Target,
) -> None:
    inference = advi(target)
    approx = inference.fit(n, callbacks=[at(step, act)], progressbar=progressbar)
    shorter = advi(target).fit(step, progressbar=False)
    assert len(approx.hist) == step
    assert approx.stopped == stopped
    assert inference.approx is approx
    np.testing.assert_array_equal(approx.hist, shorter.hist)
    np.testing.assert_array_equal(approx.parameters["mu"], shorter.parameters["mu"])


def test_an_exception_of_a_callback_leaves_what_was_fitted(target: taut.Target) -> None:
    def fail() -> None:
        raise LookupError("mine")

    inference = advi(target)
    with pytest.raises(LookupError, match="mine"):
        inference.fit(100, callbacks=[at(30, fail)], progressbar=False)
    shorter = advi(target).fit(30, progressbar=False)
    np.testing.assert_array_equal(inference.hist, shorter.hist)
    np.testing.assert_array_equal(inference.approx.parameters["mu"], shorter.parameters["mu"])


def test_the_progress_bar_changes_no_bit_of_a_fit(target: taut.Target) -> None:
    shown, silent = (advi(target).fit(200, progressbar=shown) for shown in (True, False))
    np.testing.assert_array_equal(shown.hist, silent.hist)
    for name, value in shown.parameters.items():
        np.testing.assert_array_equal(value, silent.parameters[name])


def broken(z: Array, data: Any, batch: Any) -> tuple[Array, Array]:
    """A density that is good at the start, and nowhere else."""
    return jnp.where(jnp.all(z == 0), 0.0, jnp.nan), jnp.zeros(())


def rare(z: Array, data: Any, batch: Any) -> tuple[Array, Array]:
    """A normal density, but NaN in its tails."""
    return jnp.where(jnp.abs(z[0]) > 2, jnp.nan, -0.5 * jnp.sum(z**2)), jnp.zeros(())


def test_a_fit_that_is_given_up_says_where_the_density_is_not_finite() -> None:
    inference = advi(taut.Target(broken, MODEL.target().space))
    before = inference.approx.parameters
    with pytest.raises(NotFiniteError, match=r"(?s)last 100 steps.*the log prior is nan"):
        inference.fit(1000, progressbar=False)
    assert inference.approx.stopped == NOT_FINITE
    assert len(inference.hist) == PATIENCE
    np.testing.assert_array_equal(inference.approx.parameters["mu"], before["mu"])


def test_a_fit_with_skipped_steps_says_so() -> None:
    target = taut.Target(rare, MODEL.target().space)
    with pytest.warns(UserWarning, match=r"\d+ of 300 steps were skipped"):
        approx = advi(target).fit(300, progressbar=False)
    assert approx.skipped == int(np.isnan(approx.hist).sum()) > 0
    assert np.isfinite(approx.parameters["mu"]).all()
