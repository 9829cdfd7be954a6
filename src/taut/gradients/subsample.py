"""A first look at a part of the rows.

The first stages of an automatic fit run on it, and hand their Gaussian on to one that reads all.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import jax
import numpy as np

from taut.batches import AbstractBatches, Part
from taut.engine import Timing, clock
from taut.gradients.base import AbstractGradients
from taut.gradients.in_batches import BatchGradients
from taut.target import StepData

# Rows it looks at: so many, and so many for each dimension.
_ROWS, _ROWS_EACH = 2000, 20
# The share of all rows from which on it is no cheaper than all of them.
_LARGE = 0.5


@dataclass(frozen=True)
class Draft:
    """Gradients on a few batches, in place of all rows.

    Parameters
    ----------
    gradients
        Of the log density, with the likelihood of these rows scaled to all.
    rows
        How many these are.
    """

    gradients: AbstractGradients
    rows: int

    def moved(self, moves: Callable[[AbstractGradients], AbstractGradients]) -> "Draft":
        """Return the same in other coordinates."""
        return replace(self, gradients=moves(self.gradients))

    @classmethod
    def of(
        cls, stepping: StepData, dim: int, timing: Timing, deadline: float = math.inf
    ) -> "Draft | None":
        """Take the first batches of a fit; `None` where they would be most of the rows."""
        if _LARGE * stepping.scale < 1.0:
            return None
        with clock(timing, "read"), stepping.target.precision():
            batches, served = stepping.feed.at(0)
            width = _width(batches)
        steps = min(served, math.ceil(max(_ROWS, _ROWS_EACH * dim) / width))
        if steps > _LARGE * stepping.scale:
            return None
        part = Part(batches, 0, steps)
        gradients = BatchGradients(
            stepping.target, timing, lambda: [part], deadline=deadline, name="a draft"
        )
        return cls(gradients, steps * width)


def _width(batches: AbstractBatches) -> int:
    """Return the rows of a batch; those of the longest, where variables have different ones."""
    batch = jax.eval_shape(batches.draw, jax.random.key(0), np.int32(0))
    return max(leaf.shape[0] for leaf in jax.tree.leaves(batch) if leaf.ndim)
