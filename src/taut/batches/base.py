"""What a source of batches does."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

import equinox as eqx
from jaxtyping import Array, Int, PRNGKeyArray, PyTree


class AbstractBatches(eqx.Module):
    """A source of batches: arrays a target reads in one step, drawn on the device."""

    @abstractmethod
    def draw(self, key: PRNGKeyArray, step: Int[Array, ""] | int = 0) -> PyTree:
        """Draw the batch of one step; `key` is the step's own."""


class AbstractFeed(ABC):
    """Brings batches to the device while a fit goes on."""

    @abstractmethod
    def at(self, step: int) -> tuple[AbstractBatches, int]:
        """Return batches for the steps from `step` on, and how many steps they serve.

        Batches of one feed have equal shapes, so that one program serves them all.
        """

    @abstractmethod
    def skip(self, batches: int) -> None:
        """Pass over the first batches, which an earlier feed of the same rows has brought."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and threads, if there are any."""


class Part(NamedTuple):
    """Some batches that follow one another.

    Parameters
    ----------
    batches
        Where they come from.
    first, steps
        The step of the first of them, and how many there are.
    """

    batches: AbstractBatches
    first: int
    steps: int


def parts_of(feed: AbstractFeed, batches: int) -> Iterator[Part]:
    """Read so many batches from the first on, and let go of the feed."""
    done = 0
    try:
        while done < batches:
            rows, served = feed.at(done)
            part = Part(rows, done, min(served, batches - done))
            yield part
            done += part.steps
    finally:
        feed.close()
