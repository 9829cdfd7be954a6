"""The classes that a saved fit may hold, by the names that its file gives them."""

import inspect
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from taut import family
from taut.approximation.record import Record
from taut.chains import Window
from taut.diagnose import ChainCheck, Finding, Journal, Outcome, Stage
from taut.elimination import (
    Banded,
    BlockDiagonal,
    BlockTridiagonal,
    Bordered,
    Level,
    Touching,
    Updated,
)
from taut.engine import Timing
from taut.family import AbstractFamily, InterpolatedConditional, Layers, LinearConditional
from taut.frontend import Earlier
from taut.storage import Codec
from taut.target import Description, Labels, Quadratic, Variable

_OTHERS = (
    Record, Timing, Journal, Stage, Outcome, Finding, ChainCheck, Window, Layers, Description,
    Variable, Labels, BlockDiagonal, BlockTridiagonal, Bordered, Level, Touching,
    Banded, Updated, LinearConditional, InterpolatedConditional, Earlier, Quadratic,
)  # fmt: skip


def codec() -> Codec:
    """Return what writes fits and reads them.

    Families are known by being there: those of taut by their names, others by that of their module
    as well, once it is imported.
    """
    names = {cls: _name(cls) for cls in (*_OTHERS, *_families(AbstractFamily))}
    # Of two classes of one name, as in a notebook whose cell was run again, the later one is made.
    classes = {name: cls for cls, name in names.items()}
    return Codec(names.get, classes.get, lambda value: isinstance(value, jax.Array), _to_device)


def _families(kind: type) -> Iterator[type]:
    for cls in kind.__subclasses__():
        if not inspect.isabstract(cls):
            yield cls
        yield from _families(cls)


def _name(cls: type) -> str:
    is_own = cls in _OTHERS or getattr(family, cls.__name__, None) is cls
    return cls.__name__ if is_own else f"{cls.__module__}:{cls.__qualname__}"


def _to_device(array: np.ndarray) -> jax.Array:
    # Otherwise JAX would make 32 bits of 64.
    with jax.enable_x64(array.dtype.itemsize == 8):
        return jnp.asarray(array)
