"""An approximation is repaired by chains that go on from its draws."""

import copy
import os
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, final

import numpy as np

from taut.approximation.checkpoint import Checkpoint, as_checkpoint
from taut.approximation.drawing import sampled
from taut.approximation.fitted import Fitted
from taut.approximation.keeping import keeps_the_fit
from taut.approximation.packed_fit import packed
from taut.approximation.record import Record
from taut.approximation.trust import CHECKED, judge_of, known_of
from taut.arguments import as_positive
from taut.diagnose import Journal, Outcome
from taut.engine import Timing, accounted, never_lost, refuse_forked, single_threaded, take_lost
from taut.errors import warn
from taut.family import Particles
from taut.progress import INTERRUPTED

_NOTHING_REPAIRED = (
    "Nothing was repaired: Ctrl-C came before the first round of chains had ended, and the "
    "approximation is the fit as it was."
)


def repair[AnyFitted: Fitted](
    approx: AnyFitted,
    rounds: int = 8,
    *,
    random_seed: Any = None,
    checkpoint: str | os.PathLike[str] | None = None,
    every: str | None = None,
) -> AnyFitted:
    """Go on with short chains from draws of the fit until nothing shifts.

    Ctrl-C ends it, and the draws are those of the last round that has ended.

    Parameters
    ----------
    rounds
        Of 64 chains and 60 transitions, later ones of more, each of which learns the
        coordinates of the next. A round takes about 10 000 to 100 000 gradients.
    random_seed
        Decides the chains.
    checkpoint
        A folder that keeps what programs have returned, made for its user alone. After a kill
        `taut.resume` goes on from there, to the same result to the last bit.
    every
        Seconds, by default ``"60s"``, after which the disk is made to keep what was written.

    Returns
    -------
    Approximation
        A new one, whose draws are those of the chains; its `diagnose` says whether they have
        settled.

    Raises
    ------
    ArgumentError
        An argument makes no sense.
    StorageError
        The folder holds a fit already, or can not be used.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model():
    ...     x = pm.Normal("x", 0.0, 1.0, shape=2)
    ...     y = pm.Normal("y", x[0] * x[1], 0.5, observed=1.0)
    ...     approx = taut.fit(2000, method="advi", random_seed=1, progressbar=False)
    >>> repaired = approx.repair(random_seed=1)
    >>> type(repaired.family).__name__
    'Particles'
    """
    refuse_forked("A repair")
    rounds, kept = as_positive("rounds", rounds), as_checkpoint(checkpoint, every)
    if kept is not None:
        kept.check_seconds("A repair")
    if not approx.source.has_density:
        # Which says that the model is missing.
        kept = None
    call = RepairCall(rounds, approx.words(random_seed))
    if kept is not None:
        kept.begin(approx.state.source_of_rows)
        kept.write(approx.source, packed(approx, call))
    return call.run(approx, kept)


@final
@dataclass(frozen=True)
class RepairCall:
    """A call of `repair`, which its checkpoint keeps.

    Parameters
    ----------
    rounds
        The most of them.
    words
        Of the seed.
    """

    rounds: int
    words: np.ndarray

    def run[AnyFitted: Fitted](
        self, approx: AnyFitted, checkpoint: Checkpoint | None = None
    ) -> AnyFitted:
        """Repair, with the results that a checkpoint keeps."""
        reached = _Reached(approx)
        programs = approx.target.programs
        log = None if checkpoint is None else checkpoint.log()
        with never_lost():
            try:
                with (
                    accounted(reached.timing),
                    nullcontext() if log is None else programs.kept_in(log),
                    single_threaded(approx.target.largest_matrix),
                ):
                    self._go_on(approx, reached)
            except KeyboardInterrupt:
                take_lost()
                return reached.when_interrupted()
            except Exception as error:
                with keeps_the_fit(reached.approx(f"{type(error).__name__}")):
                    raise
        repaired = reached.approx()
        if checkpoint is not None:
            checkpoint.try_to_write(approx.source, packed(repaired, None), ended=True)
        return repaired

    def _go_on(self, approx: Fitted, reached: "_Reached[Any]") -> None:
        state = approx.state
        journal = Journal(jumps=approx.source.discontinuities())
        judge = judge_of(state, self.words, journal, reached.timing)
        z, _ = sampled(state.target, state.family, CHECKED, self.words)
        with closing(judge.rounds(z, *known_of(state))) as rounds:
            for window, room in islice(rounds, self.rounds):
                settled = journal.verdict.trusted
                draw = partial(judge.kept, window, room, settled=settled)
                reached.is_at(draw, journal)
                if journal.outcome is Outcome.REPAIRED:
                    break


@final
class _Reached[AnyFitted: Fitted]:
    """What a repair has reached.

    Parameters
    ----------
    fit
        What is repaired.
    """

    def __init__(self, fit: AnyFitted) -> None:
        self.timing = Timing()
        self._fit = fit
        self._round: tuple[Callable[[], Particles], Journal] | None = None

    def is_at(self, particles: Callable[[], Particles], journal: Journal) -> None:
        """Take the end of a round."""
        self._round = particles, journal.copy()

    def approx(self, stopped: str | None = None) -> AnyFitted:
        """Return the draws of the last round that has ended, or the fit as it was."""
        if self._round is None:
            return copy.copy(self._fit)
        draw, journal = self._round
        record = self._fit.record
        words = str(journal.verdict)
        return self._fit.alike(draw(), replace(
            Record(f"{record.method}, repaired", timing=self.timing),
            stopped=words if stopped is None else f"{stopped}; {words}",
            journal=journal, include_transformed=record.include_transformed,
        ))  # fmt: skip

    def when_interrupted(self) -> AnyFitted:
        """Return what there is after a Ctrl-C, and say so where there is nothing."""
        if self._round is None:
            warn(_NOTHING_REPAIRED)
        return self.approx(INTERRUPTED)
