"""Every row in every step."""

from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from taut.batches.base import AbstractBatches


class AllRows(AbstractBatches):
    """No batching: the target reads its data whole."""

    def draw(self, key: PRNGKeyArray, step: Int[Array, ""] | int = 0) -> PyTree:
        return ()
