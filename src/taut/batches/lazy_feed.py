"""A feed that is made when it is first asked for batches."""

from collections.abc import Callable
from typing import final

from taut.batches.base import AbstractBatches, AbstractFeed


@final
class LazyFeed(AbstractFeed):
    """Puts off the reading of rows until a fit is under way, where its time and its errors belong.

    Parameters
    ----------
    begin
        Makes the feed.
    """

    def __init__(self, begin: Callable[[], AbstractFeed]) -> None:
        self._begin = begin
        self._feed: AbstractFeed | None = None
        self._skipped = 0

    def at(self, step: int) -> tuple[AbstractBatches, int]:
        if self._feed is None:
            self._feed = self._begin()
            self._feed.skip(self._skipped)
        return self._feed.at(step)

    def skip(self, batches: int) -> None:
        self._skipped = batches

    def close(self) -> None:
        if self._feed is not None:
            self._feed.close()
