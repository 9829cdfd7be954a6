"""Compiled programs: each once, with its seconds counted."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.extend.core as jex
import numpy as np

from taut.engine.call_log import CallLog, LoggedCalls
from taut.engine.callback_errors import raise_error_of_callback
from taut.engine.cpu_options import compile_lowered
from taut.engine.disk_cache import persistent_cache
from taut.engine.forked import check_forked_run, refuse_forked
from taut.engine.interrupts import raise_lost
from taut.engine.kept import Kept
from taut.engine.materialize import keep_what_is_read_often
from taut.engine.spread_programs import SpreadProgram, described, mesh_of, places
from taut.engine.timing import Timing, building, clock

# Of one target: a fit with all that is asked of it afterwards has a dozen or two, and each new
# expression that is evaluated one of its own.
_MOST = 256


@dataclass(eq=False)
class Programs:
    """The compiled programs of one target, by function, structure and shapes.

    They live as long as the target does; nothing is held by a global table.

    Parameters
    ----------
    in_64_bits
        Whether JAX computes in 64 bits where they are compiled and run, whatever it does elsewhere.
    log
        Where results are kept, and recalled from, while a fit with a checkpoint is under way.
    """

    in_64_bits: bool = True
    compiled: Kept[Any, Any] = field(default_factory=lambda: Kept(_MOST))
    count: int = 0
    log: CallLog | None = None

    def __call__(
        self, function: Callable[..., Any], *args: Any, timing: Timing | None = None
    ) -> Any:
        """Call `function`, compiled on the first arguments of their structure and shapes.

        Arrays among the leaves of `args` are passed at run time; all else shapes the program,
        and has to be hashable. A `timing` is charged with the seconds.
        """
        return self.bind(function, quick=True)(*args, timing=timing)

    def __reduce__(self) -> Any:
        # What is compiled stays behind, and comes back when it is needed.
        return Programs, (self.in_64_bits,)

    def precision(self) -> Any:
        """Return the scope in which programs are compiled and run."""
        return jax.enable_x64(self.in_64_bits)

    @contextmanager
    def kept_in(self, log: CallLog) -> Iterator[None]:
        """Keep what programs return inside, and recall what is there already."""
        self.log = log
        try:
            yield
        finally:
            self.log = None
            log.close()

    def on_host(
        self, name: str, arrays: Sequence[np.ndarray], run: Callable[[], Sequence[np.ndarray]]
    ) -> Sequence[np.ndarray]:
        """Compute arrays on the host, by many programs; recall them where results are kept."""
        return run() if self.log is None else self.log.of_host(name, arrays, run)

    def has(self, function: Callable[..., Any], *args: Any) -> bool:
        """Check whether a call would compile nothing."""
        leaves, tree = jax.tree.flatten(args)
        return (function, tree, _signature(leaves)) in self.compiled

    def shapes(self, function: Callable[..., Any], *args: Any) -> Any:
        """Return shapes and dtypes of what a call gives, which compiles nothing."""
        leaves, tree = jax.tree.flatten(args)
        arrays = [leaf for leaf in leaves if is_dynamic(leaf)]

        def build() -> Any:
            with self.precision():
                return jax.eval_shape(_program(function, tree, leaves), *arrays)

        return self.compiled(("shapes", function, tree, _signature(leaves)), build)

    def bind(
        self, function: Callable[..., Any], *fixed: Any, quick: bool = False
    ) -> Callable[..., Any]:
        """Fix the first arguments, which are then taken apart once and not at every call.

        The result is called as ``bound(*further_arguments, timing=timing)``.

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
        logged: list[LoggedCalls] = []

        def bound(*args: Any, timing: Timing | None = None) -> Any:
            timing = Timing() if timing is None else timing
            if self.log is None:
                return call(args, timing)
            if not logged or logged[-1].log is not self.log:
                logged.append(self.log.calls_of(function, fixed))
            run, shapes = partial(call, args, timing), partial(self.shapes, function, *fixed, *args)
            with self.precision():
                return logged[-1](args, run, shapes)

        def call(args: tuple[Any, ...], timing: Timing) -> Any:
            leaves, tree = jax.tree.flatten(args)
            key = tree, _signature(leaves)
            with self.precision():
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

        def build() -> Any:
            refuse_forked("To compile")
            with building(timing, "compile"):
                program = _compile(function, tree, leaves, quick)
            self.count += 1
            return program

        return self.compiled((function, tree, _signature(leaves)), build)


def _run(program: Any, fixed: list[Any], arrays: list[Any]) -> Any:
    """Run a program; what is lost of a Ctrl-C meanwhile is raised after it."""
    check_forked_run(program, [*fixed, *arrays])
    try:
        result = jax.block_until_ready(program(*fixed, *arrays))
    except jax.errors.JaxRuntimeError as error:
        # A callback of the program's may have ended by it.
        raise_lost()
        raise_error_of_callback(error)
        raise
    raise_lost()
    return result


def _signature(leaves: list[Any]) -> tuple[Any, ...]:
    """Describe leaves by what decides a program: arrays by shape and dtype, others as they are."""
    return tuple((leaf.shape, leaf.dtype) if is_dynamic(leaf) else leaf for leaf in leaves)


def _program(function: Callable[..., Any], tree: Any, leaves: list[Any]) -> Callable[..., Any]:
    """Return a function of the arrays among the leaves of its arguments."""
    dynamic = [is_dynamic(leaf) for leaf in leaves]
    static = [None if passed else leaf for leaf, passed in zip(leaves, dynamic, strict=True)]

    def program(*arrays: Any) -> Any:
        rest = iter(arrays)
        both = zip(static, dynamic, strict=True)
        whole = [next(rest) if passed else leaf for leaf, passed in both]
        return function(*jax.tree.unflatten(tree, whole))

    program.__name__ = getattr(function, "__name__", "program")
    return program


def _compile(function: Callable[..., Any], tree: Any, leaves: list[Any], quick: bool) -> Any:
    program = _program(function, tree, leaves)
    arrays = [leaf for leaf in leaves if is_dynamic(leaf)]
    lowered = _lower(program, arrays)
    with persistent_cache():
        compiled = compile_lowered(lowered, quick=quick)
    return compiled if mesh_of(arrays) is None else SpreadProgram(compiled)


def _lower(program: Callable[..., Any], arrays: list[Any]) -> Any:
    """Trace, and make XLA keep what many operations read."""
    jit, arrays = partial(jax.jit, **places(arrays)), list(described(arrays))
    traced = jit(program).trace(*arrays)
    kept = keep_what_is_read_often(traced.jaxpr)
    if kept is traced.jaxpr:
        return traced.lower()

    def again(*arrays: Any) -> Any:
        return jax.tree.unflatten(traced.out_tree, jex.jaxpr_as_fun(kept)(*arrays))

    again.__name__ = program.__name__
    return jit(again).lower(*arrays)


def is_dynamic(leaf: Any) -> bool:
    """Check whether a leaf is passed to a program; all others shape it."""
    return isinstance(leaf, jax.Array | np.ndarray | np.generic)
