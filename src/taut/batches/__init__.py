"""Where the rows of a step come from."""

from taut.batches.all_rows import AllRows as AllRows
from taut.batches.array_rows import ArrayRows as ArrayRows
from taut.batches.base import AbstractBatches as AbstractBatches
from taut.batches.base import AbstractFeed as AbstractFeed
from taut.batches.base import Part as Part
from taut.batches.base import parts_of as parts_of
from taut.batches.circle import CircleFeed as CircleFeed
from taut.batches.circle import CircleRows as CircleRows
from taut.batches.deferred import Deferred as Deferred
from taut.batches.endless import Endless as Endless
from taut.batches.iterable_rows import IterableRows as IterableRows
from taut.batches.packing import fits_in_memory as fits_in_memory
from taut.batches.packing import read_all as read_all
from taut.batches.parquet_rows import ParquetRows as ParquetRows
from taut.batches.partition import Partition as Partition
from taut.batches.random_rows import RandomRows as RandomRows
from taut.batches.rows import AbstractRows as AbstractRows
from taut.batches.share import ScaledRows as ScaledRows
from taut.batches.share import Share as Share
from taut.batches.stream import PackedRows as PackedRows
from taut.batches.stream import Stream as Stream
from taut.batches.zarr_rows import ZarrRows as ZarrRows

__all__ = [
    "AbstractBatches",
    "AbstractFeed",
    "AbstractRows",
    "AllRows",
    "ArrayRows",
    "CircleFeed",
    "CircleRows",
    "Deferred",
    "Endless",
    "IterableRows",
    "PackedRows",
    "ParquetRows",
    "Part",
    "Partition",
    "RandomRows",
    "ScaledRows",
    "Share",
    "Stream",
    "ZarrRows",
    "fits_in_memory",
    "parts_of",
    "read_all",
]
