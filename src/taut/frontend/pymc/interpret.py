"""PyTensor's functions without its C compiler."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import pytensor
from pymc.pytensorf import compile as compile_function
from pytensor.compile.mode import Mode

# The fewest rewrites: PyMC needs one among them, which makes densities zero outside of bounds. The
# linker is the one that imports nothing of compilers.
_NODE_BY_NODE = Mode(linker="py", optimizer="fast_compile")


def interpreted() -> AbstractContextManager[Any]:
    """Let functions that are called for the first time inside run in Python.

    One that is called a few times does not pay for a C compiler: graphs of a mixture or a simplex
    kept it busy for three to five seconds.
    """
    return pytensor.config.change_flags(cxx="")


def interpreted_function(inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
    """Make a function that evaluates a graph node by node; call it inside `interpreted`."""
    with interpreted():
        return compile_function(inputs, outputs, mode=_NODE_BY_NODE, on_unused_input="ignore")
