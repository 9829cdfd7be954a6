"""How many groups rows have, and whether the rows of each are together."""

from dataclasses import dataclass
from typing import Self, final

import numpy as np

from taut.rows.arrays import ArrayRows
from taut.rows.base import AbstractRows
from taut.rows.parquet import ParquetRows
from taut.rows.zarr_store import ZarrRows

Keys = np.ndarray

# Sources that read one column without the others.
_APART = (ArrayRows, ParquetRows, ZarrRows)


@final
@dataclass(frozen=True)
class KeyCounts:
    """What a column of keys tells of groups.

    Parameters
    ----------
    rows, groups
        How many there are.
    largest
        Rows of the largest group.
    largest_key
        Its key.
    """

    rows: int
    groups: int
    largest: int
    largest_key: float

    @classmethod
    def of(cls, source: AbstractRows, key: str) -> Self | None:
        """Read the keys of all rows; `None` where the rows of some group are not together.

        Parameters
        ----------
        source
            The rows, of which no other column is read where that can be.
        key
            The column of keys.

        Raises
        ------
        RowsError
            Rows can not be read, or have no key.
        """
        keys: list[Keys] = []
        lengths: list[Keys] = []
        for block in _of_keys(source, key).blocks(None):
            if not len(block[key]):
                continue
            found, sizes = runs(block[key])
            if keys and keys[-1][-1] == found[0]:
                # A group that goes on from the block before.
                lengths[-1][-1] += sizes[0]
                found, sizes = found[1:], sizes[1:]
            if len(np.unique(found)) < len(found):
                return None
            if len(found):
                keys.append(found)
                lengths.append(sizes)
        every, sizes = np.concatenate(keys), np.concatenate(lengths)
        if len(np.unique(every)) < len(every):
            return None
        most = int(np.argmax(sizes))
        return cls(int(sizes.sum()), len(every), int(sizes[most]), every[most].item())


def reads_apart(source: AbstractRows) -> bool:
    """Return whether one column of a source can be read without the others."""
    return isinstance(source, _APART)


def _of_keys(source: AbstractRows, key: str) -> AbstractRows:
    return source.only([key]) if isinstance(source, _APART) else source


def runs(keys: Keys) -> tuple[Keys, np.ndarray]:
    """Return the keys of rows that follow one another, and how many rows each has.

    Examples
    --------
    >>> import numpy as np
    >>> from taut.rows.key_counts import runs
    >>> runs(np.array([7, 7, 2, 2, 2]))
    (array([7, 2]), array([2, 3]))
    """
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    return keys[starts], np.diff(np.r_[starts, len(keys)])
