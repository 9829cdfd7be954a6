"""Random variables that an expression has of its own, beside those of the model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Array
from pymc.distributions.shape_utils import change_dist_size
from pymc.pytensorf import collect_default_updates, rvs_in_graph
from pytensor.graph.basic import Variable
from pytensor.graph.replace import clone_replace, graph_replace, vectorize_graph
from pytensor.graph.traversal import ancestors, graph_inputs, toposort
from pytensor.scan import scan
from pytensor.tensor.random import basic
from pytensor.tensor.random.op import RandomVariable, RNGConsumerOp
from pytensor.tensor.random.type import RandomType

from taut import seed

# Compared with NumPy's in the tests.
_RIGHT_ON_JAX = (
    basic.NormalRV, basic.UniformRV, basic.LaplaceRV, basic.LogisticRV, basic.CauchyRV,
    basic.GumbelRV, basic.StudentTRV, basic.GammaRV, basic.ExponentialRV, basic.BetaRV,
    basic.DirichletRV, basic.MvNormalRV, basic.PoissonRV,
)  # fmt: skip


def lift_generators(outputs: Sequence[Any]) -> tuple[list[Any], list[Variable], list[Any]]:
    """Turn the generators that random variables draw from into inputs.

    Returns
    -------
    tuple
        The outputs, the inputs, and what each stands for, in an order that the graph alone decides.
    """
    found: Any = [v for v in graph_inputs(outputs) if isinstance(v.type, RandomType)]
    inputs = [generator.type() for generator in found]
    return clone_replace(list(outputs), dict(zip(found, inputs, strict=True))), inputs, found


def jax_generators(words: Array) -> list[dict[str, Array]]:
    """Make generators as PyTensor's JAX backend reads them, of the key words of each."""
    return [{"jax_state": seed.key(words[i])} for i in range(words.shape[0])]


def numpy_generators(words: np.ndarray) -> list[np.random.Generator]:
    """Make NumPy's generators of the key words of each."""
    return [np.random.default_rng(own.tolist()) for own in words]


def are_right_on_jax(outputs: Sequence[Any]) -> bool:
    """Return whether PyTensor's JAX backend draws all random variables in a graph as it should.

    Of those left out, some it can not draw, and some it draws with other probabilities (categorical
    ones) or as another type (Bernoulli ones).
    """
    ops = [variable.owner.op for variable in rvs_in_graph(outputs)]
    return all(isinstance(op, _RIGHT_ON_JAX) for op in ops if isinstance(op, RandomVariable))


def over_rows(z: Any, nodes: Sequence[Any], rows: Any) -> list[Any]:
    """Evaluate expressions of a vector at each row of a matrix, with fresh noise for each."""
    try:
        return vectorize_graph(list(nodes), {z: rows, **resized(z, nodes, rows.shape[0])})
    except (NotImplementedError, ValueError):
        # Some random variables have no form with more axes: mixtures, walks.
        if not rvs_in_graph(nodes):
            raise
        return _in_turn(z, nodes, rows)


def _in_turn(z: Any, nodes: Sequence[Any], rows: Any) -> list[Any]:
    lifted, inputs, generators = lift_generators(nodes)

    def one(row: Any, *states: Any) -> list[Any]:
        now = dict(zip(inputs, states, strict=True))
        outputs = graph_replace(lifted, {z: row, **now}, strict=False)
        later = collect_default_updates(outputs, must_be_shared=False)
        return [*outputs, *(later.get(state, state) for state in states)]

    states: list[Any] = [None] * len(nodes) + generators
    outputs: Any = scan(one, sequences=[rows], outputs_info=states, return_updates=False)
    return list(outputs[: len(nodes)])


def resized(z: Any, nodes: Sequence[Any], size: Any) -> dict[Any, Any]:
    """Resize random variables that do not depend on a vector to as many values as it gets.

    Those that depend on it, or on one of these, get theirs when the graph is vectorised.
    """
    first: dict[Any, Any] = {}
    for node in toposort(nodes):
        if isinstance(node.op, RNGConsumerOp):
            drawn = node.default_output()
            if not {z, *first} & set(ancestors([drawn])):
                first[drawn] = change_dist_size(drawn, (size,), expand=True)
    return first
