"""Expressions over an approximation: PyMC's symbolic surface."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.graph.basic import Variable
from pytensor.graph.replace import graph_replace
from pytensor.tensor.type import integer_dtypes
from pytensor.tensor.variable import TensorVariable

from taut import seed
from taut.errors import ArgumentError
from taut.family import AbstractFamily
from taut.frontend.pymc.expressions.draws_op import View, family_op, symbolic_draws
from taut.frontend.pymc.expressions.nodes import (
    in_values,
    on_flat_vector,
    over_draws,
    warn_if_constant,
)
from taut.target import Space


class Expressions:
    """Builds PyTensor expressions in which the model's variables are draws of q.

    Parameters
    ----------
    model
        The PyMC model.
    space
        Its value variables in the flat vector.
    family
        The kind of q; its parameters are read by `view` alone.
    view
        Gives the shared variable of a parameter or a moment.
    random_seed
        Of the generators in the expressions.
    """

    def __init__(
        self, model: Any, space: Space, family: AbstractFamily, view: View, random_seed: int
    ) -> None:
        self._model, self._space, self._family, self._view = model, space, family, view
        self._seed, self._count = random_seed, 0
        # One draw, and a random one, until `set_size_and_deterministic` says otherwise.
        self._size = pytensor.shared(1, "size")
        self._deterministic = pytensor.shared(False, "deterministic")
        self._draws: Any = None

    def sample_node(
        self,
        node: Any,
        size: Any = None,
        deterministic: Any = False,
        more_replacements: Mapping[Any, Any] | None = None,
    ) -> Any:
        """Replace the model's variables in expressions by draws; see `Approximation`."""
        nodes = list(node) if isinstance(node, list | tuple) else [node]
        nodes = in_values(self._model, nodes, more_replacements or {})
        z, nodes = on_flat_vector(self._model, nodes, self._space)
        warn_if_constant(z, nodes)
        draws = self._new_draws(1 if size is None else _check_size(size), deterministic)
        if size is None:
            sampled = graph_replace(nodes, {z: draws[0]}, strict=False)
        else:
            sampled = over_draws(z, nodes, draws)
        return sampled if isinstance(node, list | tuple) else sampled[0]

    @property
    def symbolic_random(self) -> Any:
        """Draws as a matrix, of one row until `set_size_and_deterministic` is called."""
        if self._draws is None:
            self._draws = self._new_draws(self._size, self._deterministic)
        return self._draws

    def rslice(self, name: str) -> Any:
        """Draws of one value variable, along a first axis."""
        slot = self._space[name]
        draws = self.symbolic_random[:, slot.slice].reshape((-1, *slot.shape))
        draws.name = f"{name}_vi_random_slice"
        return draws

    def logq(self) -> Any:
        """Mean over the draws of log q, in the unconstrained space."""
        import jax

        leaves, tree = jax.tree.flatten(self._family)
        views = [self._view(f"leaf_{i}") for i in range(len(leaves))]

        def log_prob(z: Any, *leaves: Any) -> tuple[Any]:
            return (jax.vmap(jax.tree.unflatten(tree, leaves).log_prob)(z),)

        return family_op(log_prob, self.symbolic_random, *views, ndim=1, name="log_prob").mean()

    def expectation(self, term: Any) -> Any:
        """Mean over the draws of a scalar in the model's value variables."""
        z, [flat] = on_flat_vector(self._model, [term], self._space)
        return over_draws(z, [flat], self.symbolic_random)[0].mean()

    def set_size_and_deterministic(
        self, node: Any, size: Any, deterministic: Any, more_replacements: Any = None
    ) -> Any:
        """Say of an expression of `symbolic_random` how many draws it has, and whether random."""
        if not isinstance(deterministic, Variable):
            deterministic = np.asarray(deterministic)
        replace: dict[Any, Any] = {
            self._size: pt.as_tensor(1 if size is None else _check_size(size)).astype("int64"),
            self._deterministic: pt.as_tensor(deterministic).astype("bool"),
        }
        replace |= more_replacements or {}
        return graph_replace(node, replace, strict=False)

    def _new_draws(self, size: Any, deterministic: Any) -> Any:
        """Make draws of a generator of their own."""
        self._count += 1
        own_seed = int(seed.key_words(self._seed, seed.NODES, self._count)[0])
        size = pt.as_tensor(size)
        random = symbolic_draws(self._family, self._view, size, own_seed)
        if not isinstance(deterministic, TensorVariable) and not deterministic:
            return random
        mean = pt.broadcast_to(self._view("mean"), (size, self._space.dim))
        if not isinstance(deterministic, TensorVariable):
            return mean
        return pt.switch(deterministic, mean, random)


def _check_size(size: Any) -> Any:
    symbolic = pt.as_tensor(size)
    if symbolic.type.ndim != 0 or symbolic.type.dtype not in integer_dtypes:
        raise ArgumentError(
            f"size must be None, an integer or a symbolic integer scalar such as pt.iscalar('i'), "
            f"got {size!r} with {symbolic.type.ndim} axes of {symbolic.type.dtype}."
        )
    if isinstance(size, int) and size < 1:
        raise ArgumentError(f"size must be at least 1, got {size}.")
    return symbolic
