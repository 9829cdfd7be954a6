"""Compiled programs: each once, with its seconds counted, kept on disk for the next process.

JAX's persistent compilation cache is switched on around taut's own compilations and off again,
unless the user has chosen a cache folder for JAX already, which then serves taut too.
"""

import functools
import gc
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.extend.core as jex
import numpy as np
import platformdirs
from jax._src import config as jax_states
from jax.experimental.compilation_cache import compilation_cache

from taut.engine.interrupts import never_lost, raise_lost
from taut.engine.materialize import keep_what_is_read_often
from taut.errors import ArgumentError

_LOGGER = logging.getLogger("taut")
_ENVIRONMENT = "TAUT_CACHE_DIR"
_OFF = ("", "0", "off", "none", "false")
# Read by `cache_directory`: the user's choice in this process, which beats the environment's.
_choice: list[str | os.PathLike[str] | None] = []
_switching = threading.Lock()


# For programs on a CPU. XLA's own choice hands reductions to a pool of threads, which costs a step
# on 500 x 100 rows twice the time it takes.
_NO_POOL: dict[str, Any] = {"xla_cpu_experimental_ynn_fusion_type": ""}
# For a loop of many steps: the wider vectors save another fifth.
_CPU_OPTIONS: dict[str, Any] = _NO_POOL | {"xla_cpu_prefer_vector_width": 512}
# For a program that is called some thousand times at most: it compiles in two thirds of the time,
# draws in half of it, and runs as fast.
_CPU_OPTIONS_QUICK: dict[str, Any] = _NO_POOL | {"xla_backend_optimization_level": 1}


def set_cache_directory(path: str | os.PathLike[str] | None) -> None:
    """Choose the folder of compiled programs, or turn the cache off.

    Without this call it is ``$TAUT_CACHE_DIR`` (``off`` turns the cache off), else ``taut`` under
    the user's own cache directory. Where the user has set ``jax_compilation_cache_dir`` for JAX,
    that folder is used and this setting is not.

    Parameters
    ----------
    path
        A folder, made when it is first needed; `None` for no cache.

    Raises
    ------
    ArgumentError
        It is neither.

    Examples
    --------
    >>> import taut
    >>> taut.set_cache_directory("/tmp/taut-programs")
    >>> taut.set_cache_directory(None)
    """
    if not isinstance(path, str | os.PathLike | None):
        raise ArgumentError(
            "The folder of compiled programs must be a path, or None for no cache, got "
            f"{path!r} ({type(path).__name__})."
        )
    _choice[:] = [path]
    _is_usable.cache_clear()


def cache_directory() -> Path | None:
    """Tell the folder of compiled programs, `None` where the cache is off."""
    if _choice:
        return None if _choice[0] is None else Path(_choice[0]).expanduser()
    setting = os.environ.get(_ENVIRONMENT)
    if setting is None:
        return Path(platformdirs.user_cache_dir("taut")) / "programs"
    return None if setting.lower() in _OFF else Path(setting).expanduser()


@contextmanager
def persistent_cache() -> Iterator[None]:
    """Let JAX keep on disk what is compiled inside, and leave its configuration as it was."""
    folder = cache_directory()
    if folder is None or jax.config.jax_compilation_cache_dir or not _is_usable(folder):
        yield
        return
    # JAX reads these states per thread but holds the open cache per process: hence the lock, and
    # the reset, without which programs of the user would be written to taut's folder.
    with (
        _switching,
        jax_states.compilation_cache_dir(str(folder)),
        jax_states.persistent_cache_min_compile_time_secs(0.0),
        jax_states.persistent_cache_min_entry_size_bytes(-1),
    ):
        compilation_cache.reset_cache()
        try:
            yield
        finally:
            compilation_cache.reset_cache()


@functools.cache
def _is_usable(folder: Path) -> bool:
    """Tell whether programs can be kept in a folder; if not, log it once."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            return True
        reason = "it can not be written to"
    except OSError as error:
        reason = str(error)
    # JAX would warn for each program.
    _LOGGER.warning(
        "Compiled programs are not kept in %s: %s. Choose another folder, or none, with "
        "taut.set_cache_directory.",
        folder,
        reason,
    )
    return False


@dataclass
class Timing:
    """Where the seconds of a fit went.

    Parameters
    ----------
    lift
        Turning the model into a JAX function, its start point included.
    compile
        Tracing and compiling programs, or reading them from the disk cache.
    run
        Running them.
    read
        Waiting for rows: shuffling those in memory, or reading others.
    host
        All else that a fit does in Python: chains' moves, linear algebra, callbacks.
    """

    lift: float = 0.0
    compile: float = 0.0
    run: float = 0.0
    read: float = 0.0
    host: float = 0.0

    @property
    def total(self) -> float:
        return self.lift + self.compile + self.run + self.read + self.host

    def __str__(self) -> str:
        read = f", read {self.read:.2f} s" if self.read >= 0.005 else ""
        return (
            f"lift {self.lift:.2f} s, compile {self.compile:.2f} s, run {self.run:.2f} s{read}, "
            f"host {self.host:.2f} s (total {self.total:.2f} s)"
        )


@contextmanager
def clock(timing: Timing, part: str) -> Iterator[None]:
    """Add the seconds spent inside to one part of a timing."""
    begin = time.perf_counter()
    try:
        yield
    finally:
        setattr(timing, part, getattr(timing, part) + time.perf_counter() - begin)


@contextmanager
def accounted(timing: Timing) -> Iterator[None]:
    """Charge the host with those seconds spent inside that no other part is charged with."""
    begin, known = time.perf_counter(), timing.total
    try:
        with never_lost():
            yield
    finally:
        timing.host += max(0.0, time.perf_counter() - begin - (timing.total - known))


@contextmanager
def building(timing: Timing, part: str) -> Iterator[None]:
    """Count seconds of work on graphs, which Python's garbage collector does not interrupt.

    It would go through all nodes again and again, a fifth of a first fit, and find nothing.
    """
    with never_lost():
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            with clock(timing, part):
                yield
        finally:
            if was_enabled:
                gc.enable()


@dataclass(eq=False)
class Programs:
    """The compiled programs of one target, by function, structure and shapes.

    They live as long as the target does; nothing is held by a global table.
    """

    compiled: dict[Any, Any] = field(default_factory=dict)
    count: int = 0

    def __call__(self, timing: Timing, function: Callable[..., Any], *args: Any) -> Any:
        """Call `function`, compiled on the first arguments of their structure and shapes.

        Arrays among the leaves of `args` are passed at run time; all else shapes the program,
        and has to be hashable.
        """
        return self.bind(function, quick=True)(timing, *args)

    def has(self, function: Callable[..., Any], *args: Any) -> bool:
        """Tell whether a call would compile nothing."""
        leaves, tree = jax.tree.flatten(args)
        return (function, tree, _signature(leaves)) in self.compiled

    def bind(
        self, function: Callable[..., Any], *fixed: Any, quick: bool = False
    ) -> Callable[..., Any]:
        """Fix the first arguments, which are then taken apart once and not at every call.

        The result is called as ``bound(timing, *further_arguments)``.

        Parameters
        ----------
        function, *fixed
            What is called, and its first arguments.
        quick
            Whether it is to compile quickly, rather than to take many steps in a call.
        """
        fixed_arrays = [leaf for leaf in jax.tree.leaves(fixed) if is_dynamic(leaf)]
        # By the further arguments alone: to hash what is fixed takes as long as some programs.
        found: dict[Any, Any] = {}

        def bound(timing: Timing, *args: Any) -> Any:
            leaves, tree = jax.tree.flatten(args)
            key = tree, _signature(leaves)
            program = found.get(key)
            if program is None:
                program = found[key] = self._program(timing, function, (*fixed, *args), quick)
            with clock(timing, "run"):
                arrays = [leaf for leaf in leaves if is_dynamic(leaf)]
                return _run(program, fixed_arrays, arrays)

        return bound

    def _program(
        self, timing: Timing, function: Callable[..., Any], args: tuple[Any, ...], quick: bool
    ) -> Any:
        leaves, tree = jax.tree.flatten(args)
        key = function, tree, _signature(leaves)
        if key not in self.compiled:
            with building(timing, "compile"):
                self.compiled[key] = _compile(function, tree, leaves, _cpu_options(quick))
            self.count += 1
        return self.compiled[key]


def _run(program: Any, fixed: list[Any], arrays: list[Any]) -> Any:
    """Run a program; what is lost of a Ctrl-C meanwhile is raised after it."""
    try:
        result = jax.block_until_ready(program(*fixed, *arrays))
    except jax.errors.JaxRuntimeError:
        # A callback of the program's may have ended by it.
        raise_lost()
        raise
    raise_lost()
    return result


def _cpu_options(quick: bool) -> dict[str, Any]:
    return _CPU_OPTIONS_QUICK if quick else _CPU_OPTIONS


def _signature(leaves: list[Any]) -> tuple[Any, ...]:
    """Describe leaves by what decides a program: arrays by shape and dtype, others as they are."""
    return tuple((leaf.shape, leaf.dtype) if is_dynamic(leaf) else leaf for leaf in leaves)


def _compile(
    function: Callable[..., Any], tree: Any, leaves: list[Any], options: dict[str, Any]
) -> Any:
    dynamic = [is_dynamic(leaf) for leaf in leaves]
    static = [None if passed else leaf for leaf, passed in zip(leaves, dynamic, strict=True)]

    def program(*arrays: Any) -> Any:
        rest = iter(arrays)
        both = zip(static, dynamic, strict=True)
        whole = [next(rest) if passed else leaf for leaf, passed in both]
        return function(*jax.tree.unflatten(tree, whole))

    program.__name__ = getattr(function, "__name__", "program")
    lowered = _lower(program, [leaf for leaf in leaves if is_dynamic(leaf)])
    with persistent_cache():
        return _compile_with_options(lowered, options)


def _lower(program: Callable[..., Any], arrays: list[Any]) -> Any:
    """Trace, and make XLA keep what many operations read."""
    traced = jax.jit(program).trace(*arrays)
    kept = keep_what_is_read_often(traced.jaxpr)
    if kept is traced.jaxpr:
        return traced.lower()

    def again(*arrays: Any) -> Any:
        return jax.tree.unflatten(traced.out_tree, jex.jaxpr_as_fun(kept)(*arrays))

    again.__name__ = program.__name__
    return jax.jit(again).lower(*arrays)


def _compile_with_options(lowered: Any, options: dict[str, Any]) -> Any:
    """Compile with options, or without where this XLA does not know them."""
    if not options or jax.default_backend() != "cpu":
        return lowered.compile()
    try:
        return lowered.compile(compiler_options=options)
    except jax.errors.JaxRuntimeError as error:
        if "option" not in str(error).lower():
            raise
        _LOGGER.info("XLA does not know taut's options for CPUs: %s", error)
        options.clear()
        return lowered.compile()


def is_dynamic(leaf: Any) -> bool:
    """Tell the leaves that are passed to a program from those that shape it."""
    return isinstance(leaf, jax.Array | np.ndarray | np.generic)
