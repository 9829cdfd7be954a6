"""Numbers of 64 bits as pairs of 32-bit words, on their way to a callback and back.

JAX may run a callback in a thread of its own, in which `jax.enable_x64` is not in force: there it
would round what the callback is given, and refuse what it returns.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


def to_words(array: Array) -> Array:
    """Split 64-bit numbers along a new last axis, on the device; leave others as they are."""
    return jax.lax.bitcast_convert_type(array, jnp.uint32) if _is_wide(array.dtype) else array


def from_words(words: Array, dtype: np.dtype) -> Array:
    """Undo `to_words`."""
    return jax.lax.bitcast_convert_type(words, dtype) if _is_wide(dtype) else words


def to_host_words(array: np.ndarray) -> np.ndarray:
    """Split 64-bit numbers along a new last axis, on the host; leave others as they are."""
    if not _is_wide(array.dtype):
        return array
    return np.ascontiguousarray(array).reshape(*array.shape, 1).view(np.uint32)


def from_host_words(words: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Undo `to_host_words`."""
    if not _is_wide(dtype):
        return words
    return np.ascontiguousarray(words).view(dtype).reshape(words.shape[:-1])


def words_like(result: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    """Return the shape and type of a result's words."""
    wide = _is_wide(result.dtype)
    return jax.ShapeDtypeStruct((*result.shape, 2), np.uint32) if wide else result


def _is_wide(dtype: np.dtype) -> bool:
    return np.dtype(dtype).itemsize == 8
