"""The types that the optimizers speak of."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Array, Float, Int, PyTree

# One hyper-parameter as it is stored: a leaf of the optimizer's pytree.
Leaf = Float[Array | np.ndarray[Any, Any], ""]
# The same inside of a rule.
Number = Float[Array, ""]
# One hyper-parameter as it may be given.
Scalar = float | int | np.number[Any] | Array | np.ndarray[Any, Any]
# An optax schedule: the number of steps done so far -> the rate of the next one.
Schedule = Callable[[Any], Any]
Rate = Scalar | Schedule

Tensor = Float[Array | np.ndarray[Any, Any], "..."]
Index = Int[Array, ""]

# Parameters, gradients and steps share one structure; a state has the rule's own.
# jaxtyping hides its PyTree from type checkers, which then know nothing; Any says so.
if TYPE_CHECKING:
    Params = State = Tree = Any
else:
    Params, State, Tree = PyTree[Tensor], PyTree[Array], PyTree
