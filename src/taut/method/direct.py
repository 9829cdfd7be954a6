"""Inference that ends by itself: no step size, and no number of steps to guess."""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from contextlib import closing, nullcontext, suppress
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import jax
import numpy as np

from taut.approximation import (
    NOTHING_FITTED,
    Approximation,
    Checkpoint,
    as_checkpoint,
    check_agreement,
    in_words,
    keeps_the_fit,
    packed,
)
from taut.arguments import as_flag, as_positive, as_seconds
from taut.batches import AllRows, ConstantFeed
from taut.diagnose import Journal, Outcome
from taut.engine import (
    AnyDevices,
    accounted,
    building,
    refuse_forked,
    single_threaded,
    take_lost,
    tells,
)
from taut.errors import ArgumentError, ModelError, NotFiniteError, silent, warn
from taut.frontend import NOT_EVALUATED
from taut.gradients import Draft, OutOfTime, gradients_of
from taut.method.fit_arguments import DirectArguments
from taut.method.grouped_problem import GroupedProblem
from taut.method.problem import Iterate, Needs, Problem
from taut.method.processes import check_processes, check_shared
from taut.method.setup import Setup
from taut.modes import Starts
from taut.progress import INTERRUPTED, AbstractProgress, as_progress
from taut.rows import AbstractRows
from taut.target import Batching, Factors, StepData, Target

# On a CPU a first look at a few rows costs two seconds to prepare, and saves two thirds of the
# gradients on all of them. A GPU is through with these before.
_MANY_ROWS, _BATCH_ROWS = 200_000, 500


class DirectInference(ABC):
    """A fit that is run once, looks at all rows, and says itself when it is done."""

    # What `taut.fit` finds it by; `None` for what needs an approximation to begin with.
    name: ClassVar[str | None] = None
    takes: ClassVar[type[DirectArguments]] = DirectArguments
    # What results call it.
    title: ClassVar[str]
    # Iterations after which it ends in any case.
    longest: ClassVar[int]
    needs: ClassVar[Needs] = Needs()
    _approx: Approximation
    # Whether the user says where to begin.
    _is_start_given: bool

    @abstractmethod
    def _solve(self, problem: Problem) -> Generator[Iterate, None, str]:
        """Yield what is reached after each iteration; return why it ends."""

    def _begin(self, setup: Setup, vfam: str, **group: Any) -> None:
        """Make the approximation it starts from; what every constructor does."""
        self._approx = setup.approximation(vfam, **group)
        self._is_start_given = setup.start is not None

    @property
    def approx(self) -> Approximation:
        """The approximation; before the fit, the one it starts from."""
        return self._approx

    @property
    def hist(self) -> np.ndarray:
        """The loss of each iteration."""
        return self._approx.hist

    def fit(
        self,
        n: int | None = None,
        progressbar: bool = True,
        progressbar_theme: Any = None,
        *,
        include_transformed: bool = False,
        max_seconds: float | None = None,
        batch_size: int | None = None,
        rows: Mapping[str, int] | AbstractRows | None = None,
        groups: str | None = None,
        shuffle: bool = True,
        require_total_size: bool = True,
        checkpoint: str | os.PathLike[str] | None = None,
        every: str | None = None,
        devices: AnyDevices = None,
    ) -> Approximation:
        """Fit; what is reached is kept when it is interrupted.

        Parameters
        ----------
        n
            Iterations after which it ends in any case; by default what the method needs.
        progressbar, progressbar_theme, include_transformed, require_total_size
            As in `taut.ADVI.fit`.
        max_seconds
            Seconds after which it ends, before the next gradients. To lift and to compile the
            model counts; so much is done in any case.
        batch_size
            Rows of a batch. `taut.Auto` takes a first look at a few batches, and then at all rows;
            a source of rows is read batch by batch. See `taut.ADVI.fit`.
        rows
            Which data have rows, or a source such as `taut.ParquetRows` to read them from: all of
            them, once for each round of gradients.
        groups
            The data that tell the group of each row, which `taut.MarginalInBatches` takes.
        shuffle
            Whether a first look is at rows in random order, or at the first ones.
        checkpoint
            A folder that keeps what programs have returned, made for its user alone. After a kill
            `taut.resume` goes through the fit again with these results, and on from there, to the
            same end. It grows by the gradients: 8 bytes for each of their elements.
        every
            Seconds, by default ``"60s"``, after which the disk is made to keep what was written,
            for a machine that stops. What was written outlives the process at any moment.
        devices
            As in `taut.ADVI.fit`; a first look at a part of the rows takes one of them.

        Returns
        -------
        Approximation
            The same object as `approx`.

        Raises
        ------
        ArgumentError
            An argument makes no sense.
        NotFiniteError
            The density is not finite at the start point.
        ModelError, RowsError
            The likelihood does not factor over rows, or they can not be read.
        StorageError
            The folder of checkpoints holds a fit already, or can not be used.
        """
        return self.fit_with(
            DirectArguments(
                n=n, progressbar=progressbar, progressbar_theme=progressbar_theme,
                include_transformed=include_transformed, max_seconds=max_seconds,
                batch_size=batch_size, rows=rows, groups=groups, shuffle=shuffle,
                require_total_size=require_total_size, checkpoint=checkpoint, every=every,
                devices=devices,
            )
        )  # fmt: skip

    def fit_with(self, given: DirectArguments) -> Approximation:
        """Do the same with all arguments in one record."""
        refuse_forked("A fit")
        checkpoint = as_checkpoint(given.checkpoint, given.every)
        if checkpoint is not None and self.needs.by_groups:
            raise ArgumentError(
                f"{type(self).__name__} keeps no checkpoints: it reads the rows four times. Leave "
                "checkpoint out."
            )
        if checkpoint is not None:
            checkpoint.check_seconds(type(self).__name__)
            checkpoint.begin(given.batching.source)
            checkpoint.write(self._approx.source, packed(self._approx, self._begun(given)))
        return self.go_on(given, checkpoint)

    def _begun(self, given: DirectArguments) -> tuple[Any, ...]:
        """Return what is a part of an inference that has not begun, and what `fit` was given."""
        own = {name: value for name, value in vars(self).items() if name != "_approx"}
        return type(self), own, given

    def go_on(self, given: DirectArguments, checkpoint: Checkpoint | None) -> Approximation:
        """Fit, with the results that a checkpoint keeps."""
        approx, batching = self._approx, given.batching
        self._check_batching(batching)
        grouped = GroupedProblem.of(approx, batching) if self.needs.by_groups else None
        if grouped is not None:
            self._approx = approx = grouped.globals
        longest = self.longest if given.n is None else as_positive("n", given.n)
        shown = as_flag("include_transformed", given.include_transformed)
        begun = time.perf_counter() - approx.timing.lift
        deadline = begun + as_seconds("max_seconds", given.max_seconds)
        check_shared(batching.devices, given)
        shows = as_flag("progressbar", given.progressbar) and tells(batching.devices)
        progress = as_progress(shows, given.progressbar_theme)
        with keeps_the_fit(approx), accounted(approx.timing):
            with building(approx.timing, "lift"):
                target = approx.source.target()
                check_processes(batching, target, approx.random_seed)
            approx.publish(replace(approx.state, target=target))
            log = None if checkpoint is None else checkpoint.log()
            with nullcontext() if log is None else target.programs.kept_in(log):
                problem = self._problem(longest, begun, deadline, batching)
                problem = replace(problem, grouped=grouped)
                self._note(method=self.title, journal=problem.journal, include_transformed=shown)
                # A method that judges its fits has stages of its own.
                stage = problem.journal.stage(self.title, problem.gradients)
                threads = single_threaded(target.largest_matrix)
                with nullcontext() if self.needs.judgement else stage, threads:
                    iterations = self._run(problem, progress)
        self._conclude(problem.journal, iterations)
        if checkpoint is not None and approx.stopped != INTERRUPTED:
            checkpoint.try_to_write(approx.source, packed(approx, None), ended=True)
        return approx

    def _note(self, **changes: Any) -> None:
        """Write down how the fit goes."""
        self._approx.publish(record=replace(self._approx.record, **changes))

    def _conclude(self, journal: Journal, iterations: int) -> None:
        """Warn of a fit that is none, and of one that is not to be trusted, if it is judged."""
        nothing = self._approx.stopped == INTERRUPTED and not iterations
        if self.needs.judgement and journal.outcome is None:
            interrupted = self._approx.stopped == INTERRUPTED
            journal.conclude(Outcome.INTERRUPTED if interrupted else Outcome.UNCHECKED)
        if journal.outcome is not None and not journal.verdict.trusted:
            advice = NOTHING_FITTED if nothing else journal.verdict.advice
            warn(f"{journal.verdict}. {advice}")
        elif nothing:
            warn(NOTHING_FITTED)

    def _check_batching(self, batching: Batching) -> None:
        name = type(self).__name__
        if self.needs.by_groups:
            _check_by_groups(name, batching)
            return
        if batching.groups is not None:
            raise ArgumentError(
                f"{name} has no batches of groups: it does not take groups. Leave that out, or "
                'choose method="marginal", which integrates the latents of groups out.'
            )
        if batching.source is not None and batching.devices is not None:
            raise ArgumentError(
                f"{name} reads the rows of a source one batch after another, which devices have no "
                'effect on. Leave devices out, or choose method="advi", whose steps they share.'
            )
        if batching.source is not None and self.needs.rows_in_memory:
            raise ArgumentError(
                f"{name} takes second derivatives, which needs all rows in memory, and these are "
                'read from a source. Leave method out, or choose method="batch_match".'
            )
        if batching.batch_size is not None and batching.source is None and not self.needs.draft:
            raise ArgumentError(
                f"{name} reads all rows in every step: it does not take batch_size. Leave that "
                'out, or choose a method that takes steps, such as method="advi".'
            )

    def _problem(self, longest: int, begun: float, deadline: float, batching: Batching) -> Problem:
        approx = self._approx
        with approx.target.precision():
            start = np.asarray(approx.family.mean(), float)
        check_start(approx, start, finite=self.needs.finite_start)
        random = np.random.default_rng(approx.random_seed)
        stepping = self._spread(batching, start, self._stepping(batching, start))
        later = None if stepping is None else stepping.after_steps()
        approx.publish(replace(approx.state, stepping=later, batching=batching))
        draft = None
        if stepping is not None:
            with closing(stepping.feed):
                if self.needs.draft:
                    draft = Draft.of(stepping, len(start), approx.timing, deadline)
        gradients = gradients_of(approx.target, stepping, approx.timing, deadline)
        starts = Starts(start, self._prior_points, is_given=self._is_start_given)
        with building(approx.timing, "lift"):
            journal = Journal(jumps=approx.source.discontinuities() if self.needs.judgement else ())
        return Problem(
            gradients, start, random, longest, begun, deadline, starts, draft, journal,
            partial(self._factors, batching), batching.devices,
        )  # fmt: skip

    def _prior_points(self, count: int, seed: int) -> np.ndarray | None:
        with building(self._approx.timing, "lift"):
            return self._approx.source.prior_points(count, seed)

    def _factors(self, batching: Batching) -> Factors | None:
        if batching.batch_size is not None or not isinstance(self._approx.target.batches, AllRows):
            return None
        with building(self._approx.timing, "lift"):
            return self._approx.source.factors()

    def _stepping(self, batching: Batching, start: np.ndarray) -> StepData | None:
        """Prepare batches, if there are any, or so many rows that they are worth it."""
        if self.needs.by_groups:
            # Batches of groups are no batches of rows.
            return None
        approx, target = self._approx, self._approx.target
        # A part of the rows is for one device.
        batching = replace(batching, devices=None)
        in_batches = self.needs.draft and not isinstance(target.batches, AllRows)
        with building(approx.timing, "lift"):
            if batching.batch_size is not None or in_batches:
                return approx.source.stepping(target, batching, start, approx.random_seed)
            return (
                self._unasked(batching, start) if self.needs.draft and _are_many(target) else None
            )

    def _spread(
        self, batching: Batching, start: np.ndarray, stepping: StepData | None
    ) -> StepData | None:
        """Add the density of all rows in memory, if it is to be spread over devices."""
        approx, target = self._approx, self._approx.target
        if batching.devices is None or not self.needs.rows_alone:
            return stepping
        with building(approx.timing, "lift"):
            found = approx.source.stepping(target, batching, start, approx.random_seed)
        if stepping is None:
            stepping = StepData(target, ConstantFeed(target.batches))
        return replace(stepping, spread=found.spread)

    def _unasked(self, batching: Batching, start: np.ndarray) -> StepData | None:
        """Prepare batches where they are worth it; nothing is said where there can be none."""
        approx, batching = self._approx, replace(batching, batch_size=_BATCH_ROWS)
        with silent(), suppress(ArgumentError, ModelError):
            return approx.source.stepping(approx.target, batching, start, approx.random_seed)
        return None

    def _run(self, problem: Problem, progress: AbstractProgress) -> int:
        """Iterate, and return how often."""
        approx, longest = self._approx, problem.longest
        steps = self._solve(problem)
        losses: list[float] = []
        progress.start(None)
        self._note(stopped=INTERRUPTED)
        try:
            # One iteration at least, for there to be something.
            while not losses or (len(losses) < longest and not problem.is_late):
                reached = next(steps)
                if not losses:
                    check_agreement(approx, problem.start)
                losses.append(reached.loss)
                approx.show(reached.family)
                self._note(hist=np.array(losses))
                progress.update(approx.hist, problem.journal.now)
            late = problem.is_late
            self._note(stopped=_passed(problem) if late else f"reached {longest:,d} iterations")
        except StopIteration as stop:
            self._note(stopped=stop.value)
        except OutOfTime:
            self._note(stopped=_passed(problem))
        except KeyboardInterrupt:
            # As in the loop: Ctrl-C ends a fit, and what was fitted is kept.
            pass
        except Exception as error:
            self._note(stopped=in_words(error))
            raise
        finally:
            if take_lost():
                self._note(stopped=INTERRUPTED)
            progress.finish(np.array(losses), approx.stopped)
        return len(losses)


def _check_by_groups(name: str, batching: Batching) -> None:
    if batching.devices is not None:
        raise ArgumentError(f"{name} runs on one device. Leave devices out.")


def unpacked_inference(
    kind: type[DirectInference], approx: Approximation, own: Mapping[str, Any]
) -> DirectInference:
    """Make an inference of what a checkpoint keeps."""
    inference = kind.__new__(kind)
    vars(inference).update(own, _approx=approx)
    return inference


def _passed(problem: Problem) -> str:
    return f"{time.perf_counter() - problem.begun:.2g} s have passed"


def _are_many(target: Target) -> bool:
    """Return whether a first look at a few rows saves more time than it takes to prepare."""
    return jax.default_backend() == "cpu" and target.rows_of(target.whole) >= _MANY_ROWS


def check_start(approx: Approximation, start: np.ndarray, *, finite: bool = True) -> None:
    """Refuse a start where the density has no value, or is not finite; say what is to blame."""
    with building(approx.timing, "lift"):
        blame = approx.source.blame(start)
    if blame is not None and (finite or blame.startswith(NOT_EVALUATED)):
        raise NotFiniteError(
            f"The model's log density is not finite at the start point:\n{blame}\n"
            "Check the data and the bounds, or start elsewhere: start={'name': value}."
        )
