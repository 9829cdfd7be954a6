"""Batches that serve every step."""

from typing import final

import numpy as np

from taut.batches.base import AbstractBatches, AbstractFeed


@final
class ConstantFeed(AbstractFeed):
    """Rows that are on the device once and for all.

    Parameters
    ----------
    batches
        The batches.
    """

    def __init__(self, batches: AbstractBatches) -> None:
        self._batches = batches

    def at(self, step: int) -> tuple[AbstractBatches, int]:
        return self._batches, np.iinfo(np.int32).max

    def skip(self, batches: int) -> None:
        """There is nothing to pass over: the step says which batch it is."""

    def close(self) -> None:
        """There is nothing to let go of."""
