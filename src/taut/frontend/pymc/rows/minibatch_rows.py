"""The rows behind each `pymc.Minibatch` of a graph."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytensor
from pytensor.graph.basic import Apply

from taut.batches import AbstractBatches, AllRows, RandomRows
from taut.frontend.pymc.graph import length_of
from taut.frontend.pymc.lift import on_device


class MinibatchRows:
    """Evaluates what minibatches draw from.

    Parameters
    ----------
    nodes
        The minibatches.
    """

    def __init__(self, nodes: Sequence[Apply]) -> None:
        self._sizes = tuple(length_of(node.outputs[0]) for node in nodes)
        self._functions: list[Callable[[], Any]] = [
            pytensor.function([], node.inputs[:-1], mode="FAST_COMPILE") for node in nodes
        ]

    def batches(self) -> AbstractBatches:
        """Put the data of this moment on the device, and return random rows of them."""
        if not self._functions:
            return AllRows()
        groups = tuple(tuple(map(on_device, function())) for function in self._functions)
        return RandomRows(groups, self._sizes)


def whole(batches: AbstractBatches) -> Any:
    """Return the batch of all rows."""
    return batches.groups if isinstance(batches, RandomRows) else ()


def scale(batches: AbstractBatches) -> float:
    """Return rows over batch rows; the largest, where minibatches have different ones."""
    if not isinstance(batches, RandomRows):
        return 1.0
    pairs = zip(batches.groups, batches.sizes, strict=True)
    return max(float(np.shape(group[0])[0]) / size for group, size in pairs)
