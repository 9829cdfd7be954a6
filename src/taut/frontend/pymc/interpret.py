"""PyTensor's functions without its C compiler, and without rewrites."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import pytensor
from pymc.pytensorf import compile as compile_function
from pytensor.compile.mode import Mode
from pytensor.graph.rewriting.db import RewriteDatabaseQuery

# A graph that is evaluated once or twice is not worth rewriting; PyMC adds what it can not do
# without, such as densities of zero outside of bounds.
_AS_IT_IS = Mode(linker="py", optimizer=RewriteDatabaseQuery(include=()))


def interpreted() -> AbstractContextManager[Any]:
    """Let functions that are called for the first time inside run in Python.

    One that is called a few times does not pay for a C compiler: graphs of a mixture or a simplex
    kept it busy for three to five seconds.
    """
    return pytensor.config.change_flags(cxx="")


def interpreted_function(inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
    """Make a function that evaluates a graph node by node; call it inside `interpreted`."""
    with interpreted():
        return compile_function(inputs, outputs, mode=_AS_IT_IS, on_unused_input="ignore")
