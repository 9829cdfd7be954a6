"""The only training loop: chunks of steps on the device, callbacks and progress between them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from taut import seed
from taut.batches import AbstractBatches, AbstractFeed
from taut.callbacks import AbstractObserver
from taut.descent.chunk import BUFFER, PATIENCE, run_chunk, run_recorded
from taut.descent.history import History
from taut.descent.stepper import AbstractStepper
from taut.descent.trail import Stand, looks_within, padded, slots_for, stands
from taut.engine import Timing, clock, raise_lost, take_lost
from taut.progress import FINISHED, INTERRUPTED, NOT_FINITE, AbstractProgress
from taut.target import Target

# Between two looks at the host a chunk aims at this many seconds: long enough that the look costs
# under 2 %, short enough for a lively progress bar and a prompt Ctrl-C.
_CHUNK_SECONDS = 0.1
# Steps of the first chunk, of which nothing is known; one where somebody waits for each of them.
_FIRST, _FIRST_SEEN = 16, 1
# Steps of each further one where several processes take them.
_SHARED = 256


@dataclass
class Run:
    """A fit under way: what a call of the loop changes, and what the next one goes on from.

    Parameters
    ----------
    state
        The stepper's state; always the last good one.
    seed
        Of the noise of all steps.
    step
        Steps taken since the fit began, by all calls of the loop.
    history
        The loss of each of them, skipped ones included.
    skipped
        Steps that left the state as it was, because something in them was not finite.
    in_a_row
        How many of the last steps were skipped.
    stopped
        Why the last call ended: `FINISHED`, `INTERRUPTED`, `NOT_FINITE`, or a callback's words.
    stand
        Where it stands among the states of a chunk, while somebody looks at them in turn.
    """

    state: PyTree
    seed: int
    step: int = 0
    history: History = field(default_factory=History)
    skipped: int = 0
    in_a_row: int = 0
    stopped: str | None = None
    stand: Stand | None = None

    def alone(self) -> "Run":
        """Return the run without the states of a chunk among which it stands."""
        if self.stand is None or self.stand.trail is None:
            return replace(self, stand=None)
        # A part of a stack would keep all of it in memory.
        return replace(self, state=jax.tree.map(_alone, self.state), stand=None)


def run_loop(
    run: Run,
    stepper: AbstractStepper,
    target: Target,
    feed: AbstractFeed,
    steps: int,
    *,
    observer: AbstractObserver,
    progress: AbstractProgress,
    timing: Timing,
    done: int = 0,
    longest_chunk: int = BUFFER,
) -> None:
    """Take `steps` more steps of a run, which is up to date whenever control leaves here.

    Parameters
    ----------
    run
        Changed in place.
    stepper, target
        What is stepped, and on what.
    feed
        Brings the batches.
    steps
        How many.
    observer
        Looks on between chunks, at the steps it chooses.
    progress
        Is told of each chunk.
    timing
        Is charged with the seconds.
    done
        How many of them were taken before, by a call that was ended.
    longest_chunk
        Bounds the steps of a chunk; results do not depend on it.
    """
    begin = len(run.history) - done
    slots = slots_for(observer, run.state, BUFFER)
    first = _FIRST if slots == 1 else _FIRST_SEEN
    pace = _Pace(min(longest_chunk, BUFFER), first, _is_shared(target))
    chunks = _Chunks(stepper, target, feed, timing, slots, seed.key_words(run.seed, seed.STEPS))
    progress.start(steps)
    run.stopped, run.in_a_row = INTERRUPTED, run.in_a_row if done else 0
    try:
        while (done := len(run.history) - begin) < steps and run.in_a_row < PATIENCE:
            most = min(pace.steps, steps - done, chunks.served(run.step))
            looks = looks_within(observer, done, most, slots)
            before, skipped = timing.run, run.skipped
            passing = chunks.take(run, looks)
            pace.learn(looks[-1], timing.run - before)
            for stand in passing:
                _take_up(run, stand, skipped)
                losses = run.history.since(begin)
                progress.update(losses)
                observer.look(run.state, losses)
                if run.state is not stand.state:
                    # Whoever looked has moved it: further steps of the chunk began elsewhere.
                    break
        raise_lost()
        run.stopped = FINISHED if run.in_a_row < PATIENCE else NOT_FINITE
    except KeyboardInterrupt:
        # Ctrl-C ends a fit, as it does in PyMC; what was fitted is kept.
        run.stopped = INTERRUPTED
        take_lost()
    except StopIteration as stop:
        run.stopped = str(stop) or "a callback raised StopIteration"
    except Exception as error:
        # What was fitted is kept, and the error goes on its way.
        run.stopped = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise
    finally:
        run.state, run.stand = run.alone().state, None
        progress.finish(run.history.since(begin), run.stopped)


class _Chunks:
    """Takes chunks of steps, by a program that is bound to the batches they read."""

    def __init__(
        self,
        stepper: AbstractStepper,
        target: Target,
        feed: AbstractFeed,
        timing: Timing,
        slots: int,
        key_words: np.ndarray,
    ) -> None:
        self._stepper, self._target, self._feed, self._timing = stepper, target, feed, timing
        self._slots, self._key_words = slots, key_words
        self._batches: AbstractBatches | None = None
        self._bound: Callable[..., Any]

    def served(self, step: int) -> int:
        """Get the batches for the steps from `step` on; return how many they serve."""
        with clock(self._timing, "read"):
            batches, served = self._feed.at(step)
        if batches is not self._batches:
            self._batches = batches
            program = run_chunk if self._slots == 1 else run_recorded
            self._bound = self._target.programs.bind(program, self._stepper, self._target, batches)
        return served

    def take(self, run: Run, looks: list[int]) -> Iterator[Stand]:
        """Take steps up to the last look; return where the run stands at each."""
        numbers = (np.int32(n) for n in (run.step, looks[-1], run.in_a_row))
        given = (run.state, self._key_words, *numbers)
        if self._slots == 1:
            return stands(self._stepper, self._bound(*given, timing=self._timing), None, looks)
        wanted = padded(looks, self._slots)
        chunk, kept = self._bound(*given, wanted, timing=self._timing)
        return stands(self._stepper, chunk, kept, looks)


def _alone(leaf: Any) -> Any:
    # `jnp.array` would compile a small program for each shape.
    return leaf if isinstance(leaf, jax.Array) else jax.device_put(np.array(leaf))


def _take_up(run: Run, stand: Stand, skipped: int) -> None:
    """Change the run by steps that are done; `skipped` were skipped before their chunk."""
    run.history.append(stand.losses)
    run.state, run.in_a_row, run.stand = stand.state, stand.in_a_row, stand
    run.step, run.skipped = run.step + len(stand.losses), skipped + stand.skipped


def _is_shared(target: Target) -> bool:
    return target.devices is not None and target.devices.spans_processes


@dataclass
class _Pace:
    """Chooses the steps of the next chunk by the speed of the last one."""

    longest: int
    steps: int
    # Whether other processes take the same chunks, whatever their speed.
    is_shared: bool = False

    def learn(self, done: int, seconds: float) -> None:
        if self.is_shared:
            self.steps = min(self.longest, _SHARED)
            return
        fitting = int(done * _CHUNK_SECONDS / max(seconds, 1e-6))
        self.steps = max(1, min(self.longest, fitting, 16 * done))
