"""The only training loop: chunks of steps on the device, callbacks and progress between them."""

from collections.abc import Callable
from dataclasses import dataclass, field

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from taut import seed
from taut.batches import AbstractBatches, AbstractFeed
from taut.callbacks import AbstractObserver
from taut.descent.stepper import AbstractStepper
from taut.engine import Timing, clock, raise_lost
from taut.progress import FINISHED, INTERRUPTED, NOT_FINITE, AbstractProgress
from taut.target import Target

# One program serves every chunk: the steps of a chunk are an argument, bounded by its buffer.
BUFFER = 8192
# Steps in a row without a finite loss, after which a fit is given up.
PATIENCE = 100
# Between two looks at the host a chunk aims at this many seconds: long enough that the look costs
# under 2 %, short enough for a lively progress bar and a prompt Ctrl-C.
_CHUNK_SECONDS = 0.1


class Chunk(eqx.Module):
    """What a chunk of steps hands on."""

    state: PyTree
    losses: Float[Array, " buffer"]
    done: Int[Array, ""]
    skipped: Int[Array, ""]
    in_a_row: Int[Array, ""]


def run_chunk(
    stepper: AbstractStepper,
    target: Target,
    batches: AbstractBatches,
    state: PyTree,
    key_words: Array,
    first: Int[Array, ""],
    steps: Int[Array, ""],
    in_a_row: Int[Array, ""],
) -> Chunk:
    """Take up to `steps` steps on the device; a program for `Programs`.

    The noise of a step is a function of the key and the step's number alone, so that results do
    not depend on where one chunk ends and the next begins. A step whose loss or new state is not
    finite leaves the state as it was.
    """
    key = seed.key(key_words)

    def go_on(chunk: Chunk) -> Array:
        return (chunk.done < steps) & (chunk.in_a_row < PATIENCE)

    def step(chunk: Chunk) -> Chunk:
        number = first + chunk.done
        noise_key, batch_key = jax.random.split(jax.random.fold_in(key, number))
        batch = batches.draw(batch_key, number)
        state, loss = stepper.step(chunk.state, target, batch, noise_key)
        finite = jnp.isfinite(loss) & all_finite(stepper.family(state))
        return Chunk(
            jax.tree.map(lambda new, old: jnp.where(finite, new, old), state, chunk.state),
            chunk.losses.at[chunk.done].set(loss.astype(chunk.losses.dtype)),
            chunk.done + 1,
            chunk.skipped + jnp.where(finite, 0, 1).astype(jnp.int32),
            jnp.where(finite, 0, chunk.in_a_row + 1).astype(jnp.int32),
        )

    zero = jnp.zeros((), jnp.int32)
    begin = Chunk(state, jnp.zeros(BUFFER, target.dtype), zero, zero, in_a_row)
    return jax.lax.while_loop(go_on, step, begin)


def all_finite(tree: PyTree) -> Array:
    """Check whether every number in a tree is finite, inside a program."""
    leaves = jax.tree.leaves(eqx.filter(tree, eqx.is_inexact_array))
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in leaves]))


@dataclass
class History:
    """Losses of steps, appended a chunk at a time."""

    _values: np.ndarray = field(default_factory=lambda: np.empty(0))
    _length: int = 0

    def __len__(self) -> int:
        return self._length

    def append(self, losses: np.ndarray) -> None:
        """Add the losses of a chunk; the array doubles, so many short chunks stay cheap."""
        length = self._length + len(losses)
        if length > len(self._values):
            self._values = np.resize(self._values, max(length, 2 * len(self._values)))
        self._values[self._length : length] = losses
        self._length = length

    def since(self, first: int) -> np.ndarray:
        """Return a read-only view of the losses from step `first` on."""
        view = self._values[first : self._length]
        view.flags.writeable = False
        return view


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
    """

    state: PyTree
    seed: int
    step: int = 0
    history: History = field(default_factory=History)
    skipped: int = 0
    in_a_row: int = 0
    stopped: str | None = None


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
    longest_chunk
        Bounds the steps of a chunk; results do not depend on it.
    """
    begin, pace = len(run.history), _Pace(min(longest_chunk, BUFFER))
    chunks = _Chunks(stepper, target, feed, timing)
    key_words = seed.key_words(run.seed, seed.STEPS)
    progress.start(steps)
    run.stopped, run.in_a_row = INTERRUPTED, 0
    try:
        while (done := len(run.history) - begin) < steps and run.in_a_row < PATIENCE:
            chunk, served = chunks.at(run.step)
            limit = min(min(steps, observer.next_look(done)) - done, served)
            before = timing.run
            advanced = chunk(
                run.state, key_words, *_counts(run, min(pace.steps, limit)), timing=timing
            )
            pace.learn(_take_up(run, advanced), timing.run - before)
            losses = run.history.since(begin)
            progress.update(losses)
            observer.look(run.state, losses)
        raise_lost()
        run.stopped = FINISHED if run.in_a_row < PATIENCE else NOT_FINITE
    except KeyboardInterrupt:
        # Ctrl-C ends a fit, as it does in PyMC; what was fitted is kept.
        run.stopped = INTERRUPTED
    except StopIteration as stop:
        run.stopped = str(stop) or "a callback raised StopIteration"
    except Exception as error:
        # What was fitted is kept, and the error goes on its way.
        run.stopped = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise
    finally:
        progress.finish(run.history.since(begin), run.stopped)


class _Chunks:
    """The program of a chunk, bound to the batches of its steps."""

    def __init__(
        self, stepper: AbstractStepper, target: Target, feed: AbstractFeed, timing: Timing
    ) -> None:
        self._stepper, self._target, self._feed, self._timing = stepper, target, feed, timing
        self._batches: AbstractBatches | None = None
        self._bound: Callable[..., Chunk]

    def at(self, step: int) -> tuple[Callable[..., Chunk], int]:
        """Return the program for the steps from `step` on, and how many it may take."""
        with clock(self._timing, "read"):
            batches, served = self._feed.at(step)
        if batches is not self._batches:
            self._batches = batches
            self._bound = self._target.programs.bind(
                run_chunk, self._stepper, self._target, batches
            )
        return self._bound, served


def _counts(run: Run, steps: int) -> tuple[np.int32, np.int32, np.int32]:
    return np.int32(run.step), np.int32(steps), np.int32(run.in_a_row)


def _take_up(run: Run, chunk: Chunk) -> int:
    """Change the run by a chunk that is done; return its steps."""
    done = int(chunk.done)
    run.history.append(np.asarray(chunk.losses)[:done])
    run.state, run.in_a_row = chunk.state, int(chunk.in_a_row)
    run.step, run.skipped = run.step + done, run.skipped + int(chunk.skipped)
    return done


@dataclass
class _Pace:
    """Chooses the steps of the next chunk by the speed of the last one."""

    longest: int
    steps: int = 16

    def learn(self, done: int, seconds: float) -> None:
        fitting = int(done * _CHUNK_SECONDS / max(seconds, 1e-6))
        self.steps = max(1, min(self.longest, fitting, 16 * done))
