"""What one step reads, on the device."""

from taut.batches.all_rows import AllRows as AllRows
from taut.batches.base import AbstractBatches as AbstractBatches
from taut.batches.base import AbstractFeed as AbstractFeed
from taut.batches.base import Part as Part
from taut.batches.base import parts_of as parts_of
from taut.batches.constant_feed import ConstantFeed as ConstantFeed
from taut.batches.dealt_rows import all_dealt as all_dealt
from taut.batches.epochs import EpochFeed as EpochFeed
from taut.batches.epochs import EpochRows as EpochRows
from taut.batches.lazy_feed import LazyFeed as LazyFeed
from taut.batches.random_rows import RandomRows as RandomRows
from taut.batches.same_rows import SameRows as SameRows
from taut.batches.scaled_batch import ScaledRows as ScaledRows
from taut.batches.scaled_batch import Share as Share
from taut.batches.stream import PackedRows as PackedRows
from taut.batches.stream import Stream as Stream

__all__ = [
    "AbstractBatches",
    "AbstractFeed",
    "AllRows",
    "ConstantFeed",
    "EpochFeed",
    "EpochRows",
    "LazyFeed",
    "PackedRows",
    "Part",
    "RandomRows",
    "SameRows",
    "ScaledRows",
    "Share",
    "Stream",
    "all_dealt",
    "parts_of",
]
