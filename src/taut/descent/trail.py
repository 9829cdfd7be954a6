"""Where a run stands after steps of a chunk, for those who look at one after another."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, final

import jax
import numpy as np
from jaxtyping import Float, Int, PyTree

from taut.callbacks import AbstractObserver
from taut.descent.chunk import Chunk, Passed
from taut.descent.stepper import AbstractStepper

# Of the states that a chunk keeps.
_BYTES = 16 * 2**20
# Looks so many steps apart are at states that a chunk keeps; for rarer ones chunks end.
_DENSE = 32


def slots_for(observer: AbstractObserver, state: PyTree, most: int) -> int:
    """Choose how many states a chunk keeps: one, its last, where few are looked at."""
    first = observer.next_look(0)
    if not 0 < observer.next_look(first) - first <= _DENSE:
        return 1
    state_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    return max(1, min(most, _BYTES // max(state_bytes, 1)))


def looks_within(observer: AbstractObserver, done: int, most: int, slots: int) -> list[int]:
    """List at which of the next `most` steps somebody looks, and the step at which a chunk ends."""
    looks = [min(observer.next_look(done) - done, most)]
    while looks[-1] < most and len(looks) < slots:
        looks.append(min(observer.next_look(done + looks[-1]) - done, most))
    return looks


def padded(looks: list[int], slots: int) -> Int[np.ndarray, " slots"]:
    """Lay looks out for a program, which takes always as many."""
    all_ = np.full(slots, np.iinfo(np.int32).max, np.int32)
    all_[: len(looks)] = looks
    return all_


@final
@dataclass(eq=False)
class Trail:
    """The states that a chunk has passed through.

    Parameters
    ----------
    stepper
        Took the steps.
    states
        The states, stacked.
    count
        How many there are; the stack may be longer.
    found
        What has been read of all of them, for those who read.
    """

    stepper: AbstractStepper
    states: PyTree
    count: int
    found: dict[Any, Any] = field(default_factory=dict)

    @property
    def slots(self) -> int:
        """States that the stack has room for."""
        return jax.tree.leaves(self.states)[0].shape[0]


class Stand(NamedTuple):
    """Where a run stands after some steps.

    Parameters
    ----------
    state
        The stepper's.
    losses
        Of the steps since it was looked at last.
    skipped, in_a_row
        Of the chunk's steps up to here, and the last of these.
    trail, place
        The states it is one of, and which, if the chunk has kept them.
    """

    state: PyTree
    losses: Float[np.ndarray, " steps"]
    skipped: int
    in_a_row: int
    trail: Trail | None = None
    place: int = 0


def stands(
    stepper: AbstractStepper, chunk: Chunk, kept: Passed | None, looks: list[int]
) -> Iterator[Stand]:
    """Return where a run stands at each look, and at the end of its chunk."""
    losses, done, before = np.asarray(chunk.losses), int(chunk.done), 0
    if kept is None:
        yield _stand(chunk.passed, losses[:done])
        return
    trail = Trail(stepper, kept.state, len(looks))
    leaves, tree = jax.tree.flatten(kept)
    leaves = [_on_host(leaf) for leaf in leaves]
    for place, step in enumerate(looks):
        # The last is at the end, and so is a chunk that is given up.
        if step >= done:
            yield _stand(chunk.passed, losses[before:done], trail, place)
            return
        one = jax.tree.unflatten(tree, [leaf[place, ...] for leaf in leaves])
        yield _stand(one, losses[before:step], trail, place)
        before = step


def _stand(passed: Passed, losses: np.ndarray, trail: Trail | None = None, place: int = 0) -> Stand:
    return Stand(passed.state, losses, int(passed.skipped), int(passed.in_a_row), trail, place)


def _on_host(leaf: Any) -> Any:
    # Keys of random numbers are no arrays of the host; a part of them is a copy.
    return leaf if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key) else np.asarray(leaf)
