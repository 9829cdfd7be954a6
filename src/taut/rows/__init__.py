"""Where the rows of the data come from, on the host."""

from taut.rows.arrays import ArrayRows as ArrayRows
from taut.rows.base import AbstractRows as AbstractRows
from taut.rows.base import Column as Column
from taut.rows.base import load as load
from taut.rows.base import row_bytes as row_bytes
from taut.rows.by_group import together as together
from taut.rows.by_group_on_disk import TogetherOnDisk as TogetherOnDisk
from taut.rows.fingerprints import fingerprint as fingerprint
from taut.rows.iterables import IterableRows as IterableRows
from taut.rows.key_counts import KeyCounts as KeyCounts
from taut.rows.key_counts import reads_apart as reads_apart
from taut.rows.packing import Packed as Packed
from taut.rows.packing import fits_in_memory as fits_in_memory
from taut.rows.packing import read_all as read_all
from taut.rows.parquet import ParquetRows as ParquetRows
from taut.rows.partition import Partition as Partition
from taut.rows.whole_groups import GroupBatch as GroupBatch
from taut.rows.whole_groups import GroupShape as GroupShape
from taut.rows.whole_groups import group_batches as group_batches
from taut.rows.zarr_store import ZarrRows as ZarrRows

__all__ = [
    "AbstractRows",
    "ArrayRows",
    "Column",
    "GroupBatch",
    "GroupShape",
    "IterableRows",
    "KeyCounts",
    "Packed",
    "ParquetRows",
    "Partition",
    "TogetherOnDisk",
    "ZarrRows",
    "fingerprint",
    "fits_in_memory",
    "group_batches",
    "load",
    "read_all",
    "reads_apart",
    "row_bytes",
    "together",
]
