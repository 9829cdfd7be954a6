"""Leapfrog steps of chains as one compiled program."""

from collections.abc import Callable
from typing import Any, final

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from taut.chains.coordinates import Coordinates, Points
from taut.chains.fixed_shape import of_fixed_shape
from taut.chains.leapfrog import AbstractIntegrator, ChainState, Evaluate, Trajectory, leapfrog
from taut.engine import Timing, clock, in_parallel
from taut.gradients import AbstractGradients

# Chains of a call of the program; fewer where a gradient takes so many operations that calls are
# spread over cores.
_BLOCK, _FEW, _SPREAD = 64, 32, 8_000
# Operations of a gradient beside which what Python takes for one does not matter.
_DEAR = 200_000


def can_compile(gradients: AbstractGradients) -> bool:
    """Whether trajectories can be a program, and take less as one.

    Parameters
    ----------
    gradients
        That have been evaluated before.
    """
    return gradients.traced is not None and gradients.operations < _DEAR


@final
class CompiledIntegrator(AbstractIntegrator):
    """Trajectories as one program, of 64 chains at a time, or 32 on all cores.

    A gradient takes a tenth of what it takes around Python. To compile takes as long as some tens
    of thousands of gradients there, once for a target.

    Parameters
    ----------
    gradients
        Of the log density, of which a program can be made.
    coordinates
        In which chains move.
    """

    def __init__(self, gradients: AbstractGradients, coordinates: Coordinates) -> None:
        target, self._gradients = gradients.target, gradients
        self._dtype = target.dtype
        with target.programs.precision():
            fixed = self._cast(of_fixed_shape(coordinates, target))
        self._program = target.programs.bind(trajectories, gradients.traced, fixed, quick=True)
        self._is_there = False

    def __call__(
        self, state: ChainState, momentum: Points, steps: Points, leaps: int
    ) -> Trajectory:
        begin, count = (state, momentum, steps), len(momentum)
        size = _BLOCK if self._gradients.operations < _SPREAD else _FEW

        def block(first: int, timing: Timing | None = None) -> Any:
            self._gradients.check_time()
            numbers = np.minimum(np.arange(first, first + size), count - 1)
            some = jax.tree.map(lambda each: each[numbers].astype(self._dtype), begin)
            made = self._program(*some, np.int32(leaps), timing=timing)
            return jax.tree.map(lambda each: np.asarray(each, float), made)

        # The first one compiles the program, if that is not there.
        blocks = [] if self._is_there else [block(0, self._gradients.timing)]
        self._is_there = True
        threads = self._gradients.threads_for(leaps * count * self._gradients.operations)
        with clock(self._gradients.timing, "run"):
            blocks += in_parallel(block, range(len(blocks) * size, count, size), threads)
        self._gradients.add(leaps * count)
        return jax.tree.map(lambda *parts: np.concatenate(parts)[:count], *blocks)

    def _cast(self, tree: Any) -> Any:
        """Return numbers in the target's precision."""

        def cast(leaf: Any) -> Any:
            leaf = leaf if isinstance(leaf, jax.Array) else np.asarray(leaf)
            return leaf.astype(self._dtype) if leaf.dtype.kind == "f" else leaf

        return jax.tree.map(cast, tree)


def trajectories(
    evaluate: Evaluate,
    coordinates: Coordinates,
    state: ChainState,
    momentum: Float[Array, "chains dim"],
    steps: Float[Array, "chains 1"],
    leaps: Int[Array, ""],
) -> Trajectory:
    """Follow chains; a program for `Programs`."""
    return leapfrog(evaluate, coordinates, state, momentum, steps, leaps, _compiled)


def _compiled(count: Any, body: Callable[[Any, Any], Any], start: Any) -> Any:
    return jax.lax.fori_loop(0, count, body, start)
