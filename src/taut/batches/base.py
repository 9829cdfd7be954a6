"""What a source of batches does."""

from abc import abstractmethod

import equinox as eqx
from jaxtyping import PRNGKeyArray, PyTree


class AbstractBatches(eqx.Module):
    """A source of batches: arrays a target reads in one step, drawn on the device."""

    @abstractmethod
    def draw(self, key: PRNGKeyArray) -> PyTree:
        """Draw the batch of one step."""

    @abstractmethod
    def all(self) -> PyTree:
        """Give every row as one batch."""
