"""The log density and its gradient at many points, for algorithms that run on the host."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from taut.engine import (
    Timing,
    Traced,
    clock,
    equations_of,
    in_parallel,
    map_draws,
    operations_of,
    points_at_once,
    threads_for,
    trace,
)
from taut.target import Target

# Points of one call of the program. One program serves every stage of a fit.
BLOCK = 32

Points = Float[np.ndarray, "points dim"]


class OutOfTime(Exception):
    """The time that a fit was given has passed; what it has reached is its result."""


class AbstractGradients(ABC):
    """Values and gradients of a log density, counted.

    Attributes
    ----------
    target
        The density.
    timing
        Is charged with the seconds.
    count
        Points that were asked for; a product with a Hessian counts as one more.
    together
        Points that are best asked for in one call, if there are as many.
    operations
        Of one point, counted (`taut.engine.operations`): what decides how many a fit can afford. It
        is the same on every machine; infinite before the first call.
    equations
        Of one point's program, which decides how long a larger one compiles; infinite before the
        first call.
    deadline
        When they end, by `time.perf_counter`: then a call raises `OutOfTime`, but for the first.
    """

    target: Target
    timing: Timing
    count: int
    together: int
    operations: float
    equations: float
    deadline: float
    _quickest: float
    _is_called: bool
    _counted: Target | None = None

    def _begin(
        self,
        target: Target,
        timing: Timing | None,
        deadline: float = math.inf,
        together: int = BLOCK,
    ) -> None:
        self.target, self.count, self.together = target, 0, together
        self.deadline, self._is_called = deadline, False
        self.timing = Timing() if timing is None else timing
        self._quickest = self.operations = self.equations = math.inf

    @property
    def seconds_each(self) -> float:
        """Seconds a point takes, of the quickest block so far; for a limit of time alone."""
        return self._quickest

    def __call__(self, z: Points) -> tuple[Float[np.ndarray, " points"], Points]:
        """Evaluate log density and gradient; either may be infinite or not a number."""
        self.count += len(z)
        # Not target.precision(): to look up a method of an equinox module costs 50 µs.
        with self.target.programs.precision():
            return self._evaluate(z)

    @abstractmethod
    def _evaluate(self, z: Points) -> tuple[Float[np.ndarray, " points"], Points]:
        """Evaluate values and slopes at points."""

    @property
    @abstractmethod
    def traced(self) -> Callable[[Any], tuple[Any, Any]] | None:
        """The same as a pytree that larger programs call; `None` where rows come in batches."""

    @property
    def alone(self) -> Target:
        """The density on one device, if it is spread over several; else itself."""
        return self.target if self._counted is None else self._counted

    def check_time(self) -> None:
        """Raise where there is no time for another program, before it is called.

        The first is always called, so that a fit has something.
        """
        if self._is_called and time.perf_counter() >= self.deadline:
            raise OutOfTime
        self._is_called = True

    def threads_for(self, operations: float) -> int:
        """Choose on how many threads so many operations are done; on one if on several devices."""
        return threads_for(operations) if self.target.devices is None else 1

    def add(self, points: int) -> None:
        """Count points at which a larger program has evaluated."""
        self.count += points

    def _filled(self, block: Points) -> Points:
        """Fill a block up, so that one program serves all."""
        filled = np.zeros((BLOCK, block.shape[1]), self.target.dtype)
        filled[:] = block[-1]
        filled[: len(block)] = block
        return filled


@final
class Gradients(AbstractGradients):
    """Gradients on all rows, which are in memory.

    A small model's program takes as long for 32 points as a call from Python does, and compiles
    once for all algorithms that are driven from NumPy. Calls of a larger one are spread over
    threads, how many of which makes no difference to the numbers.

    Parameters
    ----------
    target
        The density.
    timing
        Is charged with the seconds, if there is one.
    deadline
        As in `AbstractGradients`.
    counted
        The same density on one device, if it is spread over several: what is counted of it decides
        how a fit goes on, which is not to depend on how many devices there are.

    Examples
    --------
    >>> import numpy as np, pymc as pm, taut
    >>> from taut.gradients import Gradients
    >>> with pm.Model() as model:
    ...     x = pm.Normal("x", 1.0, 2.0)
    >>> gradients = Gradients(taut.as_target(model))
    >>> values, slopes = gradients(np.array([[-3.0], [5.0]]))
    >>> print(slopes.ravel(), gradients.count)
    [ 1. -1.] 2
    """

    def __init__(
        self,
        target: Target,
        timing: Timing | None = None,
        deadline: float = math.inf,
        counted: Target | None = None,
    ) -> None:
        self._begin(target, timing, deadline)
        self._counted = counted
        self._program = target.programs.bind(at_points, target, quick=True)
        # Points that the program evaluates together, as it says when it is first called.
        self._at_once = 0

    @property
    def is_compiled(self) -> bool:
        """Whether the program is there already."""
        some = np.zeros((BLOCK, self.target.dim), self.target.dtype)
        return self.target.programs.has(at_points, self.target, some, np.int32(0))

    def _evaluate(self, z: Points) -> tuple[Float[np.ndarray, " points"], Points]:
        values, slopes, first = np.empty(len(z)), np.empty(z.shape), 0

        def evaluate(part: slice, timing: Timing | None = None) -> None:
            self.check_time()
            values[part], slopes[part] = self._block(z[part], timing)

        if not self._at_once and len(z):
            # It may have to be compiled.
            first = min(len(z), BLOCK)
            evaluate(slice(0, first), self.timing)
        threads = self.threads_for((len(z) - first) * self.operations)
        parts, begun = self._parts(first, len(z), threads), time.perf_counter()
        with clock(self.timing, "run"):
            in_parallel(evaluate, parts, threads)
        evaluated = sum(-(-(p.stop - p.start) // self._at_once) * self._at_once for p in parts)
        if evaluated:
            self._quickest = min(self._quickest, (time.perf_counter() - begun) / evaluated)
        return values, slopes

    def _parts(self, first: int, count: int, threads: int) -> list[slice]:
        """Cut points into blocks, and these into as many parts as keep all threads busy.

        Points that the program evaluates together stay together.
        """
        together = max(self._at_once, 1)
        blocks = max(-(-(count - first) // BLOCK), 1)
        parts = -(-threads // blocks)
        size = max(BLOCK // parts // together, 1) * together
        return [
            slice(begin, min(begin + size, block + BLOCK, count))
            for block in range(first, count, BLOCK)
            for begin in range(block, min(block + BLOCK, count), size)
        ]

    @property
    def traced(self) -> "TracedGradients":
        return TracedGradients(self.target)

    def _block(
        self, block: Points, timing: Timing | None
    ) -> tuple[Float[np.ndarray, " points"], Points]:
        filled, count = self._filled(block), np.int32(len(block))
        values, slopes, at_once, *work = self._program(filled, count, timing=timing)
        # Reading a number takes as long as a small program.
        if not self._at_once:
            if self._counted is not None:
                work = work_of(trace(jax.value_and_grad(self._counted.log_density), filled[0]))
            self._at_once, (self.operations, self.equations) = int(at_once), map(float, work)
        return np.asarray(values, float)[:count], np.asarray(slopes, float)[:count]


class TracedGradients(eqx.Module):
    """The log density and its gradient at points, for programs that move these.

    Parameters
    ----------
    target
        The density.
    """

    target: Target

    def __call__(
        self, z: Float[Array, "points dim"]
    ) -> tuple[Float[Array, " points"], Float[Array, "points dim"]]:
        values, slopes, *_ = at_points(self.target, z, jnp.int32(len(z)))
        return values, slopes


def at_points(
    target: Target, z: Float[Array, "points dim"], count: Int[Array, ""]
) -> tuple[
    Float[Array, " points"],
    Float[Array, "points dim"],
    Int[Array, ""],
    Float[Array, ""],
    Float[Array, ""],
]:
    """Evaluate value and gradient at the first `count` points; a program for `Programs`.

    The third result is how many are evaluated together, the last of which may only fill a block up.
    The last are how many operations a point takes, and how many equations these are written in.
    """
    both = trace(jax.value_and_grad(target.log_density), z[0])
    operations, equations = work_of(both)
    work = jnp.float32(operations), jnp.float32(equations)
    rows = target.rows_of(target.whole)
    fitting = math.gcd(len(z), points_at_once(rows, both.multiplications))
    at_once = 1 if both.is_one_kernel else fitting
    if at_once == len(z):
        return *jax.vmap(both)(z), jnp.int32(at_once), *work
    parts = z.reshape(-1, at_once, z.shape[1])

    def add(i: Array, found: tuple[Array, Array]) -> tuple[Array, Array]:
        part = jax.lax.dynamic_index_in_dim(parts, i, keepdims=False)
        made = map_draws(both, part, rows=0)
        put = lambda all_, new: jax.lax.dynamic_update_index_in_dim(all_, new, i, 0)  # noqa: E731
        return jax.tree.map(put, found, made)

    steps = -(-count // at_once)
    empty = jnp.zeros(parts.shape[:2], z.dtype), jnp.zeros_like(parts)
    values, slopes = jax.lax.fori_loop(0, steps, add, empty)
    return values.reshape(-1), slopes.reshape(z.shape), jnp.int32(at_once), *work


def work_of(both: Traced) -> tuple[float, float]:
    """Count operations and equations of a value with its gradient."""
    jaxpr = both.jaxpr.jaxpr
    return operations_of(jaxpr, jaxpr.invars), float(sum(1 for _ in equations_of(jaxpr)))
