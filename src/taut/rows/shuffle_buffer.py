"""A random order of rows, of which a bounded number is in memory."""

from collections.abc import Iterator, Mapping
from typing import final

import numpy as np

from taut.rows.base import Column


@final
class ShuffleBuffer:
    """Holds rows back, and lets go of random ones of them.

    Rows that come in take the places of rows that go out. Places are taken in a random order, and
    all of them before any is taken again, which costs one random number for each row.

    Parameters
    ----------
    capacity
        Rows that are held. Where an epoch has no more, its order is a random permutation.
    columns
        The named arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from taut.rows import Column
    >>> from taut.rows.shuffle_buffer import ShuffleBuffer
    >>> buffer = ShuffleBuffer(4, {"y": Column((), np.dtype(int))})
    >>> pieces = iter([{"y": np.arange(3)}, {"y": np.arange(3, 9)}])
    >>> mixed = [piece["y"] for piece in buffer.mix(pieces, np.random.default_rng(0))]
    >>> sorted(np.concatenate(mixed).tolist())
    [0, 1, 2, 3, 4, 5, 6, 7, 8]
    """

    def __init__(self, capacity: int, columns: Mapping[str, Column]) -> None:
        self._capacity = capacity
        self._arrays = {
            name: np.empty((capacity, *column.shape), column.dtype)
            for name, column in columns.items()
        }

    def mix(
        self, pieces: Iterator[dict[str, np.ndarray]], random: np.random.Generator
    ) -> Iterator[dict[str, np.ndarray]]:
        """Put the rows of an epoch in a random order.

        Parameters
        ----------
        pieces
            The rows, in pieces of any length.
        random
            Decides the order.
        """
        filled, places = 0, np.empty(0, np.intp)
        for piece in pieces:
            done, rows = 0, len(next(iter(piece.values())))
            while done < rows:
                if filled < self._capacity:
                    count = min(rows - done, self._capacity - filled)
                    self._put(slice(filled, filled + count), piece, done)
                    filled += count
                else:
                    places = places if len(places) else self._places(filled, random)
                    taken, places = places[: rows - done], places[rows - done :]
                    count = len(taken)
                    yield self._take(taken)
                    self._put(taken, piece, done)
                done += count
        yield from self._empty(self._places(filled, random))

    def _places(self, filled: int, random: np.random.Generator) -> np.ndarray:
        small = filled < np.iinfo(np.int32).max
        return random.permutation(np.arange(filled, dtype=np.int32 if small else np.int64))

    def _take(self, places: np.ndarray) -> dict[str, np.ndarray]:
        return {name: array.take(places, axis=0) for name, array in self._arrays.items()}

    def _put(self, places: np.ndarray | slice, piece: Mapping[str, np.ndarray], first: int) -> None:
        count = places.stop - places.start if isinstance(places, slice) else len(places)
        for name, array in self._arrays.items():
            array[places] = piece[name][first : first + count]

    def _empty(self, places: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
        # In parts, so that the buffer is not in memory twice.
        step = max(1, self._capacity // 8)
        for first in range(0, len(places), step):
            yield self._take(places[first : first + step])
