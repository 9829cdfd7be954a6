"""Where the rows of a step come from."""

from taut.batches.all_rows import AllRows as AllRows
from taut.batches.base import AbstractBatches as AbstractBatches
from taut.batches.random_rows import RandomRows as RandomRows

__all__ = ["AbstractBatches", "AllRows", "RandomRows"]
