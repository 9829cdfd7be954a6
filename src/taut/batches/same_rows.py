"""The same rows in every step."""

from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from taut.batches.base import AbstractBatches


class SameRows(AbstractBatches):
    """One batch for all steps.

    Parameters
    ----------
    batch
        The batch.
    """

    batch: PyTree

    def draw(self, key: PRNGKeyArray, step: Int[Array, ""] | int = 0) -> PyTree:
        return self.batch
