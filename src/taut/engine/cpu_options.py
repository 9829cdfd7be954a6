"""Options of XLA for programs on a CPU."""

import functools
import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax
import numpy as np

_LOGGER = logging.getLogger("taut")

# XLA's own choice hands reductions to a pool of threads, which costs a step on 500 x 100 rows
# twice the time it takes.
_NO_POOL: dict[str, Any] = {"xla_cpu_experimental_ynn_fusion_type": ""}
# For a loop of many steps: the wider vectors save another fifth.
_MANY_STEPS: Mapping[str, Any] = MappingProxyType(_NO_POOL | {"xla_cpu_prefer_vector_width": 512})
# For a program that is called some thousand times at most: it compiles in two thirds of the time,
# draws in half of it, and runs as fast.
_QUICK: Mapping[str, Any] = MappingProxyType(_NO_POOL | {"xla_backend_optimization_level": 1})


def compile_lowered(lowered: Any, *, quick: bool) -> Any:
    """Compile what JAX has lowered; on a CPU with those options that this XLA knows.

    Parameters
    ----------
    lowered
        The lowered program.
    quick
        Whether it is to compile quickly, rather than to take many steps in a call.
    """
    if jax.default_backend() != "cpu":
        return lowered.compile()
    options = dict(_QUICK if quick else _MANY_STEPS)
    try:
        return lowered.compile(compiler_options=options)
    except jax.errors.JaxRuntimeError:
        known = {name: value for name, value in options.items() if _is_known(name, value)}
        if known == options:
            raise
        return lowered.compile(compiler_options=known)


@functools.cache
def _is_known(name: str, value: Any) -> bool:
    """Ask XLA, once in a process, whether it takes an option."""
    try:
        jax.jit(lambda x: x).lower(np.float32(0)).compile(compiler_options={name: value})
    except jax.errors.JaxRuntimeError as error:
        # Such as a lack of memory, which says nothing of the option.
        if name not in str(error):
            raise
        _LOGGER.info("XLA does not take taut's option for CPUs: %s", error)
        return False
    return True
