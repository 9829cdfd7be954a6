"""Many transitions of chains as one compiled program, with random numbers from the host."""

from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from taut.chains.coordinates import Coordinates
from taut.chains.kernel import Kernel, Record, Tuning, retuned
from taut.chains.padding import padded
from taut.chains.transition import (
    ChainState,
    End,
    Evaluate,
    Noise,
    acceptance,
    leaps_of,
    transition,
    usable,
)
from taut.gradients import AbstractGradients

# Transitions of a call, and values that each of its arrays holds at most.
_TOGETHER, _HELD = 16, 2_000_000
# Operations of a gradient beside which what Python takes for one does not matter.
_DEAR = 200_000


def is_worth_compiling(gradients: AbstractGradients) -> bool:
    """Whether many transitions take less as a program, the time to compile it included.

    Parameters
    ----------
    gradients
        That have been evaluated before.
    """
    return gradients.traced is not None and gradients.operations < _DEAR


@final
class CompiledKernel(Kernel):
    """Transitions as one program.

    A gradient takes a tenth of what it takes around Python; to compile takes as long as some ten
    thousand gradients there, once for a target.

    Parameters
    ----------
    gradients
        Of the log density, of which a program can be made.
    coordinates
        In which chains move, from `taut.chains.adapted`.
    chains
        How many there are.
    """

    def __init__(self, gradients: AbstractGradients, coordinates: Coordinates, chains: int) -> None:
        target, self._gradients = gradients.target, gradients
        self.together = int(np.clip(_HELD // (chains * target.dim), 1, _TOGETHER))
        self._dtype = target.dtype
        arguments = gradients.traced, self._cast(padded(coordinates, target.dim))
        self._program = target.programs.bind(transitions, *arguments, quick=True)

    def advance(
        self, state: ChainState, tuning: Tuning, noise: list[Noise]
    ) -> tuple[Tuning, Record]:
        count, unused = len(noise), [noise[-1]] * (self.together - len(noise))
        stacked = Noise(*(np.stack(parts) for parts in zip(*noise, *unused, strict=True)))
        made = self._program(
            *self._cast((state, tuning, stacked)), np.int32(count), timing=self._gradients.timing
        )
        log_step, record, leaps = jax.tree.map(np.asarray, made)
        self._gradients.add(int(leaps) * len(state.x))
        record = jax.tree.map(lambda each: _as_floats(each[:count]), record)
        return tuning._replace(log_step=float(log_step)), record

    def _cast(self, tree: Any) -> Any:
        """Return numbers in the target's precision."""

        def cast(leaf: Any) -> Any:
            leaf = leaf if isinstance(leaf, jax.Array) else np.asarray(leaf)
            return leaf.astype(self._dtype) if leaf.dtype.kind == "f" else leaf

        return jax.tree.map(cast, tree)


def _as_floats(array: np.ndarray) -> np.ndarray:
    return array if array.dtype == bool else array.astype(float)


def transitions(
    evaluate: Evaluate,
    coordinates: Coordinates,
    state: ChainState,
    tuning: Tuning,
    noise: Noise,
    count: Int[Array, ""],
) -> tuple[Array, Record, Int[Array, ""]]:
    """Make the first `count` transitions; a program for `Programs`.

    Returns
    -------
    tuple
        Logarithm of the step size, what chains did, and how many leapfrog steps that took.
    """

    def move(i: Any, carried: Any) -> Any:
        state, tuning, record, taken = carried
        step = jnp.exp(tuning.log_step)
        leaps = leaps_of(tuning.travel, step, jnp).astype(jnp.int32)
        state, end = transition(
            state, jax.tree.map(lambda each: each[i], noise), step, leaps,
            lambda z: usable(*evaluate(z)), coordinates, _compiled,
        )  # fmt: skip
        record = jax.tree.map(lambda all_, new: all_.at[i].set(new), record, Record(state, end))
        return state, retuned(tuning, acceptance(end)), record, taken + leaps

    begin = state, tuning, _empty(state, len(noise.uniform)), jnp.int32(0)
    _, tuning, record, taken = jax.lax.fori_loop(0, count, move, begin)
    return tuning.log_step, record, taken


def _compiled(count: Any, body: Any, start: Any) -> Any:
    return jax.lax.fori_loop(0, count, body, start)


def _empty(state: ChainState, transitions: int) -> Record:
    def room(one: Array, dtype: Any = None) -> Array:
        return jnp.zeros((transitions, *one.shape), dtype or one.dtype)

    lost = room(state.values, bool)
    return Record(
        ChainState(*(room(one) for one in state)),
        End(room(state.values), lost, lost, room(state.z)),
    )
