"""Batches on the host: rows of epoch after epoch, several batches to a block."""

import itertools
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from taut.errors import ArgumentError, RowsError
from taut.rows.base import AbstractRows, Column, common_rows, quoted, row_bytes
from taut.rows.casting import cast
from taut.rows.partition import Partition
from taut.rows.read_ahead import ReadAhead
from taut.rows.shuffle_buffer import ShuffleBuffer

# Of rows that are mixed, the four bytes of each row's place included.
_BUFFER_BYTES = 64 * 2**20
# Narrow rows are fewer: at four times as many, the cache is missed and mixing takes twice as long.
_BUFFER_ROWS = 2**20
# Of rows that are read once and kept, since reading them anew in each epoch takes far longer than
# the steps they are for.
IN_MEMORY_BYTES = 256 * 2**20
# Of blocks that wait.
_AHEAD_BYTES, _AHEAD = 64 * 2**20, 16


@dataclass(frozen=True)
class Block:
    """Batches of equal width, one after another.

    Parameters
    ----------
    arrays
        Of each name the rows of all batches, `(batches * width, *shape)`.
    is_short
        For each batch whether its last row is padding: a copy of the row before.
    ready
        Batches that are rows of the source: all of them, unless it failed or ended after these.
        The others are copies of the last one, and the next block is the error.
    """

    arrays: dict[str, np.ndarray]
    is_short: np.ndarray
    ready: int


@final
class Packed(Iterator[Block]):
    """Blocks without end, read and packed in a thread before they are asked for.

    Epoch follows epoch: a block may hold the last batches of one and the first of the next. Each
    row is in one batch of an epoch. With `shuffle` blocks of the source come in a new random order
    in each epoch, and a buffer mixes the rows of several of them.

    Parameters
    ----------
    source
        The rows.
    partition
        How an epoch is cut into batches.
    dtypes
        The arrays that are wanted, and the type each is cast to.
    batches
        Batches of a block.
    shuffle
        Whether rows change their order.
    seed
        Decides all orders, whatever the thread's timing.
    buffer_rows
        Rows that are mixed; by default those of 64 MB, or a million. Where they are all rows, each
        order of them is equally likely.
    skipped
        Batches that are passed over: whole epochs without reading, the rest by it.

    Raises
    ------
    ArgumentError
        An array is not one of the source's, or a number is not positive.
    RowsError
        The partition is not one of the source's rows; or, from `next` and ever after, rows can not
        be read, or can not be cast.
    ModuleNotFoundError
        grain is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from taut.rows import ArrayRows
    >>> from taut.rows import Packed
    >>> from taut.rows import Partition
    >>> source, types = ArrayRows({"y": np.arange(5)}), {"y": np.dtype("float32")}
    >>> packed = Packed(source, Partition.of(5, 3), types, batches=2, shuffle=False, seed=0)
    >>> block = next(packed)
    >>> block.arrays["y"], block.is_short
    (array([0., 1., 2., 3., 4., 4.], dtype=float32), array([False,  True]))
    >>> packed.close()
    """

    def __init__(
        self,
        source: AbstractRows,
        partition: Partition,
        dtypes: Mapping[str, np.dtype],
        *,
        batches: int,
        shuffle: bool,
        seed: int,
        buffer_rows: int | None = None,
        skipped: int = 0,
    ) -> None:
        columns = _columns(source, dtypes)
        common_rows({"the source": source.rows, "the partition": partition.rows})
        size = row_bytes(columns)
        if buffer_rows is None:
            buffer_rows = max(1, min(_BUFFER_ROWS, _BUFFER_BYTES // (size + 4)))
        for name, count in (("batches", batches), ("buffer_rows", buffer_rows)):
            if count < 1:
                raise ArgumentError(f"{name} must be 1 or more, got {count}.")
        buffer_rows = min(buffer_rows, source.rows) if shuffle else 0
        epoch, first = divmod(skipped, partition.batches)
        supply = _Supply(_epochs(source, columns, buffer_rows, seed, epoch))
        ahead = max(1, min(_AHEAD, _AHEAD_BYTES // (batches * partition.width * size)))
        self._blocks = ReadAhead(_pack(supply, partition, columns, batches, first), ahead)

    def __iter__(self) -> "Packed":
        return self

    def __next__(self) -> Block:
        return next(self._blocks)

    def close(self) -> None:
        """End the thread; a second time nothing happens."""
        self._blocks.close()


def _columns(source: AbstractRows, dtypes: Mapping[str, np.dtype]) -> dict[str, Column]:
    """Return the arrays that are wanted, as they are wanted."""
    if not dtypes or not dtypes.keys() <= source.columns.keys():
        raise ArgumentError(
            f"Wanted are the arrays {quoted(dtypes) or 'of no name'}; the rows have "
            f"{quoted(source.columns)}."
        )
    return {name: Column(source.columns[name].shape, np.dtype(d)) for name, d in dtypes.items()}


def fits_in_memory(source: AbstractRows, dtypes: Mapping[str, np.dtype]) -> bool:
    """Return whether rows are few enough to be read once, and kept."""
    return source.rows * row_bytes(_columns(source, dtypes)) <= IN_MEMORY_BYTES


def read_all(source: AbstractRows, dtypes: Mapping[str, np.dtype]) -> tuple[np.ndarray, ...]:
    """Read all rows in their order.

    Parameters
    ----------
    source
        The rows.
    dtypes
        The arrays that are wanted, in this order, and the type each is cast to.

    Raises
    ------
    RowsError
        Rows can not be read, or can not be cast.
    """
    columns, first = _columns(source, dtypes), 0
    arrays = {
        name: np.empty((source.rows, *column.shape), column.dtype)
        for name, column in columns.items()
    }
    for piece in _pieces(source, columns, None):
        last = first + len(piece[next(iter(columns))])
        for name, array in arrays.items():
            array[first:last] = piece[name]
        first = last
    return tuple(arrays.values())


def _epochs(
    source: AbstractRows, columns: Mapping[str, Column], buffer_rows: int, seed: int, first: int
) -> Generator[dict[str, np.ndarray]]:
    """Read rows epoch after epoch, from one of them on; mixed, if there is a buffer."""
    buffer = ShuffleBuffer(buffer_rows, columns) if buffer_rows else None
    for epoch in itertools.count(first):
        if buffer is None:
            yield from _pieces(source, columns, None)
        else:
            order, mixing = np.random.default_rng((seed, epoch)).spawn(2)
            yield from buffer.mix(_pieces(source, columns, order), mixing)


def _pieces(
    source: AbstractRows, columns: Mapping[str, Column], random: np.random.Generator | None
) -> Iterator[dict[str, np.ndarray]]:
    """Read the rows of an epoch as the model wants them, and check that they are all."""
    rows = 0
    for block in source.blocks(random):
        yield {name: cast(name, block[name], column.dtype) for name, column in columns.items()}
        rows += len(block[next(iter(columns))])
    if rows != source.rows:
        raise RowsError(
            f"An epoch has {source.rows:,} rows, but {type(source).__name__} gave {rows:,}."
        )


class _Supply:
    """Rows in a row, as many at a time as are taken."""

    def __init__(self, pieces: Iterator[dict[str, np.ndarray]]) -> None:
        self._pieces = pieces
        self._piece: dict[str, np.ndarray] = {}
        self._given = self._rows = 0

    def take(self, most: int) -> dict[str, np.ndarray]:
        """Return the next rows: one at least, and no more than so many."""
        while self._given == self._rows:
            # The last piece is let go of before the next one is made.
            self._piece = {}
            self._piece = next(self._pieces)
            self._given, self._rows = 0, len(next(iter(self._piece.values())))
        first, self._given = self._given, min(self._given + most, self._rows)
        return {name: array[first : self._given] for name, array in self._piece.items()}

    def skip(self, rows: int) -> None:
        """Pass over the next rows."""
        while rows:
            rows -= len(next(iter(self.take(rows).values())))


def _pack(
    supply: _Supply,
    partition: Partition,
    columns: Mapping[str, Column],
    batches: int,
    skipped: int,
) -> Generator[Block]:
    """Pack block after block. The batches before a failure are a block of their own."""
    supply.skip(partition.start(skipped))
    for first in itertools.count(skipped, batches):
        sizes = partition.size((first + np.arange(batches)) % partition.batches)
        arrays = {
            name: np.empty((batches * partition.width, *column.shape), column.dtype)
            for name, column in columns.items()
        }
        block = Block(arrays, sizes < partition.width, batches)
        filled, places = 0, _places(block.is_short, partition.width)
        try:
            while filled < len(places):
                rows = supply.take(len(places) - filled)
                filled += _put(rows, arrays, places[filled:])
        except Exception:
            ready = int(np.searchsorted(np.cumsum(sizes), filled, side="right"))
            if ready:
                yield _repeat_last(_pad(block, partition.width), ready)
            raise
        yield _pad(block, partition.width)


def _places(is_short: np.ndarray, width: int) -> np.ndarray:
    """Return the places of rows in a block: all but the last one of a short batch."""
    used = np.ones((len(is_short), width), bool)
    used[is_short, -1] = False
    return np.flatnonzero(used)


def _put(
    rows: Mapping[str, np.ndarray], arrays: Mapping[str, np.ndarray], places: np.ndarray
) -> int:
    """Copy rows to the next places; tell how many."""
    count = len(next(iter(rows.values())))
    places = places[:count]
    # Places without a gap are copied as one piece of memory.
    dense = places[-1] - places[0] == count - 1
    at = slice(places[0], places[-1] + 1) if dense else places
    for name, array in arrays.items():
        array[at] = rows[name]
    return count


def _pad(block: Block, width: int) -> Block:
    last = np.flatnonzero(block.is_short) * width + width - 1
    for array in block.arrays.values():
        array[last] = array[last - 1]
    return block


def _repeat_last(block: Block, ready: int) -> Block:
    """Make copies of the last batch that is ready of those that are not."""
    batches, short = len(block.is_short), block.is_short.copy()
    for array in block.arrays.values():
        by_batch = array.reshape(batches, -1, *array.shape[1:])
        by_batch[ready:] = by_batch[ready - 1]
    short[ready:] = short[ready - 1]
    return Block(block.arrays, short, ready)
