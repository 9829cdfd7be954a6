"""Gradients on rows that come in batches, for algorithms that run on the host."""

import math
import time
from collections.abc import Callable, Iterable
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from taut.batches import AbstractBatches, Part
from taut.engine import Timing, clock, in_parallel, map_in_turn
from taut.engine.operations import operations
from taut.gradients.base import BLOCK, AbstractGradients, Gradients, Points
from taut.target import StepData, Target

# Points of one pass over a source: reading costs as much as so many gradients of a simple model.
_TOGETHER = 128


@final
class BatchGradients(AbstractGradients):
    r"""Gradients on the batches of an epoch, or on some of them.

    .. math:: \frac1n \sum_{b=1}^n \log p_b(y, z)

    where the likelihood in :math:`p_b` is that of a batch, scaled to all rows. With the batches of
    an epoch that is the log density on all rows. All points of a call share one pass.

    Parameters
    ----------
    target
        The density, of a batch.
    timing
        Is charged with the seconds, if there is one.
    parts
        Begins a pass over the batches.
    together, deadline
        As in `AbstractGradients`.
    name
        Tells its batches from others of the same target, where results are kept.

    Examples
    --------
    >>> import jax, numpy as np
    >>> from taut.gradients.in_batches import BatchGradients
    >>> from taut.batches import AllRows, Part
    >>> from taut.target import Space
    >>> from taut.target import Target
    >>> normal = Target(lambda z, data, batch: (-0.5 * (z**2).sum(), 0.0), Space.of({"x": (2,)}))
    >>> gradients = BatchGradients(normal, None, lambda: [Part(AllRows(), 0, 4)])
    >>> print(gradients(np.array([[1.0, 2.0]]))[1])
    [[-1. -2.]]
    """

    def __init__(
        self,
        target: Target,
        timing: Timing | None,
        parts: Callable[[], Iterable[Part]],
        together: int = BLOCK,
        deadline: float = math.inf,
        *,
        name: str = "an epoch",
    ) -> None:
        self._begin(target, timing, deadline, together)
        self._parts, self._name = parts, name

    @property
    def traced(self) -> None:
        return None

    def _evaluate(self, z: Points) -> tuple[Float[np.ndarray, " points"], Points]:
        run = lambda: (*self._pass(z), np.array(self.operations))  # noqa: E731
        values, slopes, work = self.target.programs.on_host(self._name, [z], run)
        self.operations = float(work)
        return values, slopes

    def _pass(self, z: Points) -> tuple[Float[np.ndarray, " points"], Points]:
        """Read all rows once."""
        values, slopes, batches, each = np.zeros(len(z)), np.zeros(z.shape), 0, 0.0
        begun, built = time.perf_counter(), self.timing.compile
        for part in self._parts():

            def add(first: int, part: Part = part, timing: Timing | None = None) -> float:
                self.check_time()
                block = z[first : first + BLOCK]
                which = slice(first, first + len(block))
                added = self.target.programs(
                    at_points_of_batches, self.target, part.batches, self._filled(block),
                    np.int32(part.first), np.int32(part.steps), timing=timing,
                )  # fmt: skip
                values[which] += np.asarray(added[0], float)[: len(block)]
                slopes[which] += np.asarray(added[1], float)[: len(block)]
                return float(added[2])

            # The first one compiles the program, if that is not there.
            each = add(0, timing=self.timing)
            threads = self.threads_for(len(z) * part.steps * each)
            with clock(self.timing, "run"):
                in_parallel(add, range(BLOCK, len(z), BLOCK), threads)
            batches += part.steps
        self.operations = batches * each
        seconds = time.perf_counter() - begun - (self.timing.compile - built)
        self._quickest = min(self._quickest, seconds / (-(-len(z) // BLOCK) * BLOCK))
        return values / batches, slopes / batches


def gradients_of(
    target: Target,
    stepping: StepData | None,
    timing: Timing | None = None,
    deadline: float = math.inf,
) -> AbstractGradients:
    """Return gradients on all rows: those in memory, which may be spread, or those of a source."""
    if stepping is not None and stepping.spread is not None:
        return Gradients(stepping.spread(), timing, deadline, counted=target)
    if stepping is None or stepping.streamed is None:
        return Gradients(target, timing, deadline)
    streamed = stepping.streamed
    return BatchGradients(streamed.target, timing, streamed.parts, _TOGETHER, deadline)


def at_points_of_batches(
    target: Target,
    batches: AbstractBatches,
    z: Float[Array, "points dim"],
    first: Int[Array, ""],
    steps: Int[Array, ""],
) -> tuple[Float[Array, " points"], Float[Array, "points dim"], Float[Array, ""]]:
    """Add up values and gradients on some batches; a program for `Programs`.

    The third result is how many operations a point takes on one batch.
    """

    def draw(step: Int[Array, ""]) -> Any:
        return batches.draw(jax.random.fold_in(jax.random.key(0), first + step), first + step)

    def add(step: Int[Array, ""], total: tuple[Array, Array]) -> tuple[Array, Array]:
        batch = draw(step)
        both = jax.value_and_grad(lambda one: target.log_density(one, batch))
        values, slopes = map_in_turn(both, z, target.rows_of(batch))
        return total[0] + values, total[1] + slopes

    work = operations(jax.value_and_grad(lambda one: target.log_density(one, draw(first))), z[0])
    empty = jnp.zeros(len(z), z.dtype), jnp.zeros_like(z)
    return *jax.lax.fori_loop(0, steps, add, empty), jnp.float32(work)
