"""How the rows of an epoch are split into batches."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Partition:
    r"""Rows split into batches that differ by one row at most.

    .. math:: n = \lceil N / B \rceil, \qquad
              N = r \lceil N / n \rceil + (n - r) \lfloor N / n \rfloor, \quad r = N \bmod n

    The first :math:`r` batches are long, the others short. Every batch stands for :math:`1/n` of
    all rows, so :math:`n` times its log likelihood, averaged over an epoch, is exactly that of
    all rows. 1 000 rows in batches of at most 300 are four batches of 250: one of 100 beside
    three of 300 would be just as exact, and its loss far from theirs.

    Parameters
    ----------
    rows
        All rows, :math:`N`.
    batches
        Batches of an epoch, :math:`n`.

    Examples
    --------
    >>> from taut.rows import Partition
    >>> split = Partition.of(10, batch_size=4)
    >>> [(split.start(i), split.size(i)) for i in range(split.batches)]
    [(0, 4), (4, 3), (7, 3)]
    """

    rows: int
    batches: int

    @classmethod
    def of(cls, rows: int, batch_size: int) -> "Partition":
        """Split so many rows into the fewest batches of at most `batch_size` rows."""
        return cls(rows, -(-rows // batch_size))

    @property
    def width(self) -> int:
        """Rows of a long batch."""
        return -(-self.rows // self.batches)

    @property
    def is_ragged(self) -> bool:
        """Whether there are short batches, of one row less."""
        return self.rows % self.batches != 0

    def start(self, batch: Any) -> Any:
        """Compute the first row of a batch; an integer, or one of JAX's inside a program."""
        short, long = divmod(self.rows, self.batches)
        # min(batch, long), for traced integers too.
        return batch * short + batch * (batch < long) + long * (batch >= long)

    def size(self, batch: Any) -> Any:
        """Compute the rows of a batch."""
        short, long = divmod(self.rows, self.batches)
        return short + (batch < long)
