"""One fit from start to refinement: what every stepping inference object does."""

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np

from taut import errors
from taut.approximation import (
    NOTHING_FITTED,
    Approximation,
    Checkpoint,
    Keeping,
    of_model,
    packed,
    with_model,
)
from taut.arguments import as_count, as_positive
from taut.callbacks import AbstractObserver, Callbacks, Following, as_callbacks
from taut.descent import AbstractStepper, AutoStep, Run, StopRule, run_loop
from taut.diagnose import Journal
from taut.engine import Devices, building, single_threaded
from taut.errors import ArgumentError, NotFiniteError, NotFittedError, StorageError
from taut.family import AbstractFamily
from taut.method.processes import check_processes
from taut.progress import FINISHED, INTERRUPTED, NOT_FINITE, AbstractProgress
from taut.rows import AbstractRows
from taut.target import Batching, StepData

# Draws tried to find one at which the density is not finite, for the message about it.
_TRIES = 50


@final
@dataclass(frozen=True)
class Call:
    """A call of `fit` or `refine`, from its beginning.

    Parameters
    ----------
    steps
        How many it takes, or the most of them.
    begin, skipped
        Steps that were taken, and skipped, before it.
    verdicts
        Those of `AutoStep` before it.
    """

    steps: int = 0
    begin: int = 0
    skipped: int = 0
    verdicts: int = 0


class Session:
    """The state behind an inference object.

    Parameters
    ----------
    name
        The method's name, for results.
    approx
        What is fitted.
    """

    def __init__(self, name: str, approx: Approximation) -> None:
        self.approx = approx
        self._note(method=name)
        self._run: Run | None = None
        self._stepper: AbstractStepper | None = None
        self._family_of: Callable[[Any], AbstractFamily]
        self._published: AbstractFamily | None = None
        self._callbacks: tuple[Callable[..., Any], ...] = ()
        self._score = True
        self._batching = Batching()
        self._stepping: StepData | None = None
        # Steps taken before the last `fit`, from which callbacks count.
        self._first = 0
        self._call = Call()
        # The step for which the rows of a source were first read.
        self._read_from = 0

    def __reduce__(self) -> Any:
        kept = self._kept()
        try:
            content = with_model(kept, self.approx.source)
        except Exception as error:
            raise StorageError(
                "The optimizer, the callbacks or the batches of this inference can not be pickled "
                f"({type(error).__name__}: {error}). Save its approximation: approx.save(path)."
            ) from error
        return _restored, (self.approx, content)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Session":
        kept = self._kept()
        if self._run is not None:
            kept["_run"] = replace(kept["_run"], history=copy.deepcopy(self._run.history))
        return _of_parts(copy.deepcopy(self.approx, memo), kept)

    def _kept(self) -> dict[str, Any]:
        """Return what is a part of a session that goes elsewhere, maybe from inside a callback."""
        self._take_up_written()
        kept = {name: value for name, value in vars(self).items() if name not in _MADE_ANEW}
        if self._run is not None:
            kept["_run"] = self._run.alone()
        return kept

    @property
    def hist(self) -> np.ndarray:
        """Losses of all steps so far."""
        return self.approx.hist

    def fit(
        self,
        stepper: AbstractStepper,
        n: int,
        callbacks: Iterable[Callable[..., Any]] | None,
        score: bool,
        progress: AbstractProgress,
        batching: Batching,
        include_transformed: bool,
        checkpoint: Checkpoint | None = None,
    ) -> Approximation:
        """Begin with the parameters of this moment, and take `n` steps."""
        as_count("n, the number of steps,", n)
        self._callbacks, self._score = as_callbacks(callbacks), score
        self._note(journal=Journal(), include_transformed=include_transformed)
        observer = self._observer(offset=0)
        self._refresh_target()
        self._check_start()
        self._batching = batching
        self._prepare_steps()
        self._stepper = stepper
        # Looked up once: callbacks may publish a state at every step, and a bound method of an
        # equinox module costs 50 µs to look up.
        self._family_of = stepper.family
        state = self.approx.target.programs(
            _init, stepper, self.approx.family, timing=self.approx.timing
        )
        if self._run is None:
            self._run = Run(state, self.approx.random_seed)
        self._run.state = state
        self._first = self._read_from = self._run.step
        return self._go_on(self._call_of(n), observer, progress, checkpoint)

    @property
    def rows(self) -> AbstractRows | None:
        """The source that steps read."""
        return self._batching.source

    @property
    def devices(self) -> Devices | None:
        """Those that rows are spread over."""
        return self._batching.devices

    def refine(
        self, n: int, progress: AbstractProgress, checkpoint: Checkpoint | None = None
    ) -> Approximation:
        """Take `n` more steps, with the optimizer's memory kept."""
        as_positive("n, the number of steps,", n)
        if self._run is None:
            raise NotFittedError("There is nothing to refine yet: call `.fit(n)` first.")
        self._refresh_target()
        # Rows from a source go on where the last fit left them.
        if self._batching.source is None:
            self._prepare_steps()
            self._read_from = self._run.step
        elif self._stepping is None:
            self._read_on()
        self._take_up_written()
        call = self._call_of(n)
        observer = self._observer(offset=call.begin - self._first)
        return self._go_on(call, observer, progress, checkpoint)

    def resume(self, progress: AbstractProgress, checkpoint: Checkpoint) -> Approximation:
        """Take the steps that are left of a call that was ended."""
        assert self._run is not None
        self._refresh_target()
        self._read_on()
        observer = self._observer(offset=self._call.begin - self._first)
        return self._go_on(self._call, observer, progress, checkpoint)

    def close(self) -> None:
        """Let go of the rows that steps read; `refine` begins to read them where they ended."""
        if self._stepping is not None:
            self._stepping.feed.close()
            self._stepping = None

    @contextmanager
    def closed_unless_finished(self) -> Iterator[None]:
        """Let go of rows where nobody may ever go on: a thread would read ahead until then."""
        if self._run is not None:
            self._run.stopped = None
        try:
            yield
        finally:
            if self._run is None or self._run.stopped != FINISHED:
                self.close()

    def _call_of(self, n: int) -> "Call":
        assert self._run is not None
        state = self._run.state
        verdicts = int(state.verdicts) if isinstance(self._stepper, AutoStep) else 0
        return Call(n, self._run.step, self._run.skipped, verdicts)

    def _observer(self, offset: int) -> Callbacks:
        return Callbacks(self._callbacks, self._publish, self.approx, offset, self._score)

    def _go_on(
        self,
        call: "Call",
        observer: Callbacks,
        progress: AbstractProgress,
        checkpoint: Checkpoint | None = None,
    ) -> Approximation:
        assert self._run is not None
        assert self._stepper is not None
        assert self._stepping is not None
        self._call, target = call, self.approx.target
        with target.precision(), single_threaded(target.largest_matrix):
            if checkpoint is not None:
                checkpoint.write(self.approx.source, self.packed())
            try:
                run_loop(
                    self._run, self._stepper, self._stepping.target, self._stepping.feed,
                    call.steps, observer=self._watch(observer, checkpoint), progress=progress,
                    timing=self.approx.timing, done=self._run.step - call.begin,
                )  # fmt: skip
            finally:
                self._publish(self._run.state)
                self._note(stopped=self._run.stopped)
            self._keep_the_end(checkpoint)
        if self._run.stopped == INTERRUPTED and self._run.step == call.begin:
            errors.warn(NOTHING_FITTED)
        if self._run.stopped == NOT_FINITE or 0 < self._run.in_a_row == call.steps:
            self._note(stopped=NOT_FINITE)
            raise NotFiniteError(self._why_not_finite())
        if self._run.skipped > call.skipped:
            errors.warn(
                f"{self._run.skipped - call.skipped} of {self._run.step - call.begin} steps were "
                "skipped, because the loss or the new parameters were not finite. A smaller "
                "learning rate may help."
            )
        return self.approx

    def packed(self) -> bytes:
        """Return all that a checkpoint keeps."""
        return packed(self.approx, self._kept())

    def _keep_the_end(self, checkpoint: Checkpoint | None) -> None:
        """Keep where a fit ended, or was interrupted."""
        if checkpoint is None:
            return
        assert self._run is not None
        ended = self._run.stopped != INTERRUPTED
        checkpoint.try_to_write(self.approx.source, self.packed(), ended=ended)

    def _watch(self, observer: AbstractObserver, checkpoint: Checkpoint | None) -> AbstractObserver:
        if isinstance(self._stepper, AutoStep):
            observer = StopRule(observer, self._call.steps, self._call.verdicts)
        observer = Following(observer, self._take_up_written)
        if checkpoint is None:
            return observer
        keep = lambda: checkpoint.try_to_write(self.approx.source, self.packed())  # noqa: E731
        return Keeping(observer, checkpoint, keep)

    def _take_up_written(self) -> None:
        """Go on from parameters that were written since the last were shown."""
        family = self.approx.family
        if self._published is None or family is self._published:
            return
        assert self._run is not None
        assert self._stepper is not None
        with self.approx.target.precision():
            family = jax.tree.map(jnp.asarray, family)
            self._run.state = self._stepper.moved(self._run.state, family)
        self._published = self.approx.family

    def _publish(self, state: Any) -> None:
        assert self._run is not None
        hist = self._run.history.since(0) if self._score else np.empty(0)
        self._note(hist=hist, skipped=self._run.skipped)
        self._published = self._family_of(state)
        self.approx.show(self._published, self._run.stand)

    def _note(self, **changes: Any) -> None:
        """Write down how the fit goes."""
        self.approx.publish(record=replace(self.approx.record, **changes))

    def _refresh_target(self) -> None:
        """Take up what was set by `pymc.set_data` since."""
        with building(self.approx.timing, "lift"):
            target = self.approx.source.target()
        if target.space != self.approx.target.space:
            raise ArgumentError(
                "The model's variables have changed their shapes since this inference was made: "
                f"{_shapes(self.approx.target.space)} then, {_shapes(target.space)} now. "
                "Make a new one."
            )
        self.approx.publish(replace(self.approx.state, target=target))

    def _read_on(self) -> None:
        """Begin to read rows anew, and pass over those of the steps that were taken."""
        assert self._run is not None
        self._prepare_steps()
        assert self._stepping is not None
        self._stepping.feed.skip(self._run.step - self._read_from)

    def _prepare_steps(self) -> None:
        self.close()
        target, random_seed = self.approx.target, self.approx.random_seed
        with building(self.approx.timing, "lift"), target.precision():
            start = np.asarray(self.approx.family.mean())
            check_processes(self._batching, target, random_seed)
            self._stepping = self.approx.source.stepping(target, self._batching, start, random_seed)
        later = self._stepping.after_steps()
        state = replace(self.approx.state, stepping=later, batching=self._batching)
        self.approx.publish(state)

    def _check_start(self) -> None:
        with building(self.approx.timing, "lift"), self.approx.target.precision():
            blame = self.approx.source.blame(np.asarray(self.approx.family.mean()))
        if blame is not None:
            raise NotFiniteError(
                f"The model's log density is not finite at the start point:\n{blame}\n"
                "Check the data and the bounds, or start elsewhere: start={'name': value}."
            )

    def _why_not_finite(self) -> str:
        assert self._run is not None
        head = (
            f"The last {self._run.in_a_row} steps had a loss or parameters that are not finite; "
            f"it is stopped after {self._run.step:,d} steps and keeps the last good parameters."
        )
        advice = "Try a smaller learning rate, another start, or narrower priors."
        return f"{head}\n{self._blame_a_draw()}\n{advice}"

    def _blame_a_draw(self) -> str:
        draws = self.approx.unconstrained_draws(_TRIES, random_seed=self.approx.random_seed)
        for z in draws:
            blame = self.approx.source.blame(z)
            if blame is not None:
                return f"At a draw of the approximation:\n{blame}"
        index = int(np.argmax(np.abs(draws).max(axis=0)))
        name = self.approx.target.space.element_name(index)
        return (
            "The density is finite at draws of the approximation, its gradient or the update is "
            f"not; the draws reach farthest in {name} ({draws[:, index].max():.4g})."
        )


# What is no part of a session that goes elsewhere, or is found of its other parts.
_MADE_ANEW = ("approx", "_stepping", "_family_of", "_published")


def unpacked_session(approx: Approximation, kept: dict[str, Any]) -> Session:
    """Make a session of what a checkpoint keeps."""
    return _of_parts(approx, kept)


def _restored(approx: Approximation, content: bytes) -> Session:
    # Arrays of 64 bits would come back as 32, where JAX is not told otherwise.
    with jax.enable_x64(True):
        return _of_parts(approx, of_model(content, approx.source))


def _of_parts(approx: Approximation, kept: dict[str, Any]) -> Session:
    session = Session.__new__(Session)
    vars(session).update(kept, approx=approx, _stepping=None, _published=None)
    if kept["_stepper"] is not None:
        session._family_of, session._published = kept["_stepper"].family, approx.family
    return session


def check_approximation(method: str, approx: Any) -> None:
    """Refuse what a method can not fit.

    Raises
    ------
    ArgumentError
        It is no approximation.
    """
    if not isinstance(approx, Approximation):
        raise ArgumentError(
            f"{method} fits an approximation, such as taut.MeanField(model=model), got {approx!r} "
            f"({type(approx).__name__})."
        )


def _init(stepper: AbstractStepper, family: AbstractFamily) -> Any:
    return stepper.init(family)


def _shapes(space: Any) -> str:
    return ", ".join(f"{slot.name} {slot.shape}" for slot in space)
