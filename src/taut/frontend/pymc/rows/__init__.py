"""Which data have rows, and the density on a batch of them."""

from taut.frontend.pymc.rows.batcher import Batcher as Batcher
from taut.frontend.pymc.rows.batcher import RowBatches as RowBatches
from taut.frontend.pymc.rows.minibatch_rows import MinibatchRows as MinibatchRows
from taut.frontend.pymc.rows.minibatch_rows import scale as scale
from taut.frontend.pymc.rows.minibatch_rows import whole as whole
from taut.frontend.pymc.rows.pointwise import observed_factors as observed_factors

__all__ = [
    "Batcher",
    "MinibatchRows",
    "RowBatches",
    "observed_factors",
    "scale",
    "whole",
]
