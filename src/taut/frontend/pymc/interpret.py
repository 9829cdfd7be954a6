"""PyTensor's functions without its C compiler."""

from contextlib import AbstractContextManager
from typing import Any

import pytensor


def interpreted() -> AbstractContextManager[Any]:
    """Let functions that are compiled, or called for the first time, inside run in Python.

    One that is called a few times does not pay for a C compiler: graphs of a mixture or a simplex
    kept it busy for three to five seconds.
    """
    return pytensor.config.change_flags(cxx="")
