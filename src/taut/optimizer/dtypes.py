"""Keep dtypes: nothing weakly typed, nothing wider than it came in.

A weakly typed state has another type after the first step than before it, and
whatever is compiled for the one is compiled again for the other.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from taut.optimizer.base import Tree


def is_extended(leaf: Any) -> bool:
    """Say whether a leaf is of a dtype that is no number's, such as a random key."""
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.extended)


def strong_leaf(leaf: Any, like: Any) -> Any:
    """Convert a leaf to the dtype of another, strongly typed."""
    if is_extended(leaf):
        return leaf
    return lax.convert_element_type(leaf, jnp.result_type(like))


def strong_like(tree: Tree, like: Tree) -> Tree:
    """Convert every leaf to the dtype of its counterpart, strongly typed."""
    return jax.tree.map(strong_leaf, tree, like)


def strong(tree: Tree) -> Tree:
    """Make every leaf strongly typed, at the dtype it has."""
    return strong_like(tree, tree)


def working_dtype(params: Tree) -> np.dtype[Any]:
    """Choose the dtype in which the hyper-parameters meet the parameters.

    It is the widest among the parameters, so that float64 hyper-parameters do not
    drag float32 work up, and at least float32, because 0.999 is 1 in bfloat16.
    """
    return jnp.result_type(np.float32, *jax.tree.leaves(params))
