"""Generalized eigenvalues, which JAX has not, and such that no unknown changes."""

from typing import Any

import pytensor.tensor as pt
from pytensor.compile.mode import Mode
from pytensor.graph.basic import Constant
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.rewriting.basic import EquilibriumGraphRewriter, node_rewriter
from pytensor.graph.traversal import ancestors
from pytensor.tensor.linalg.decomposition.eigen import Eigvalsh


def lower_eigenvalues(graph: FunctionGraph) -> None:
    """Write eigenvalues of pairs of matrices as those of one, or as the constants that they are.

    As in the density of `pymc.CAR`, where otherwise each evaluation would find them anew.
    """
    EquilibriumGraphRewriter([_known, _of_one_matrix], max_use_ratio=10).rewrite(graph)


@node_rewriter([Eigvalsh])
def _known(graph: FunctionGraph, node: Any) -> list[Any] | None:
    """Evaluate what depends on constants alone."""
    roots = (one for one in ancestors(node.inputs) if one.owner is None)
    if not all(isinstance(one, Constant) for one in roots):
        return None
    return [pt.constant(node.outputs[0].eval(mode=Mode("py", "None")), dtype=node.outputs[0].dtype)]


@node_rewriter([Eigvalsh])
def _of_one_matrix(graph: FunctionGraph, node: Any) -> list[Any] | None:
    r"""Rewrite the eigenvalues of A beside B as those of :math:`L^{-1} A L^{-\top}`, B = L L'."""
    if len(node.inputs) != 2:
        return None
    a, b = node.inputs
    lower: Any = pt.linalg.cholesky(b)
    half: Any = pt.linalg.solve_triangular(lower, a, lower=True)
    return [Eigvalsh(lower=node.op.lower)(pt.linalg.solve_triangular(lower, half.T, lower=True))]
