"""What a source of batches does."""

from abc import ABC, abstractmethod

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
        """Give batches for the steps from `step` on, and how many steps they serve.

        Batches of one feed have equal shapes, so that one program serves them all.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of files and threads, if there are any."""
