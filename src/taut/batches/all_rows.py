"""Every row in every step."""

from jaxtyping import PRNGKeyArray, PyTree

from taut.batches.base import AbstractBatches


class AllRows(AbstractBatches):
    """No batching: the target reads its data whole."""

    def draw(self, key: PRNGKeyArray) -> PyTree:
        return ()

    def all(self) -> PyTree:
        return ()
