"""Processes that were forked from one whose JAX had started, which has threads that they lack.

What hangs there, or kills the process, is refused: to fit, to compile, and to run programs but the
smallest, which JAX runs in the thread that calls them.
"""

import os
from typing import Any, final

import jax

from taut.engine.jax_private import backends_are_initialized
from taut.errors import ForkError

_ADVICE = (
    "Start processes by spawn or forkserver, such as multiprocessing.get_context('spawn'), or by "
    "joblib's loky; or fork before anything of JAX has run."
)


@final
class _Process:
    """What a fork has left of JAX in this process."""

    def __init__(self) -> None:
        self.is_forked, self.hands_on = False, True

    def take_up(self) -> None:
        """Note that this process is a child; one that is forked before JAX starts lacks nothing."""
        if backends_are_initialized():
            self.is_forked = True
            # Where that is off, programs run in the caller's thread, and wait there for others.
            self.hands_on = bool(jax.config._read("jax_cpu_enable_async_dispatch"))


_process = _Process()
# Windows has no fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.take_up)


def refuse_forked(what: str) -> None:
    """Refuse to begin what a forked process does not come through.

    Parameters
    ----------
    what
        What is refused, in words.

    Raises
    ------
    ForkError
        This process was forked after JAX had started.
    """
    if _process.is_forked:
        raise ForkError(
            f"{what} would hang in this process: it was forked from one in which JAX had started "
            f"already, and has none of JAX's threads. {_ADVICE}"
        )


def check_forked_run(program: Any, arrays: list[Any]) -> None:
    """Run a program, and refuse it if it waits for a thread that is not there.

    Nothing is ready later in such a process that is not ready at once.

    Raises
    ------
    ForkError
        This process was forked, and the program was handed to another thread.
    """
    if not _process.is_forked:
        return
    what = "A compiled program"
    if jax.default_backend() != "cpu" or not _process.hands_on:
        refuse_forked(what)
    if not all(leaf.is_ready() for leaf in jax.tree.leaves(program(*arrays))):
        refuse_forked(what)
