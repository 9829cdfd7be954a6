"""Where a model's log density can jump, be flat, or have a support that moves.

The model is read as it is written: the parameters of its variables, its potentials and the log
densities that a user wrote. What PyMC's own densities choose between, such as two formulas for one
smooth function, is not in there.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from pymc.distributions.censored import CensoredRV
from pymc.distributions.continuous import TruncatedNormalRV, WaldRV
from pymc.distributions.custom import CustomDistRV, CustomSymbolicDistRV
from pymc.distributions.distribution import SymbolicRandomVariable
from pymc.distributions.truncated import TruncatedRV
from pytensor.compile.builders import SymbolicOp
from pytensor.graph.basic import Apply
from pytensor.graph.op import HasInnerGraph
from pytensor.graph.traversal import ancestors, toposort
from pytensor.raise_op import CheckAndRaise
from pytensor.scalar import basic as scalar
from pytensor.scalar.math import Erfcx
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.extra_ops import SearchsortedOp
from pytensor.tensor.math import Argmax
from pytensor.tensor.random.basic import ParetoRV, TriangularRV, UniformRV
from pytensor.tensor.random.op import RandomVariable
from pytensor.tensor.sort import ArgSortOp

try:
    from pytensor.conditional.op import IfElse
except ModuleNotFoundError:
    # Where it is before PyTensor 3.3.
    from pytensor.ifelse import IfElse

# Elementwise operations that step. Of two real numbers no test of equality is true by more than
# chance, and so `eq` is none.
_STEPS = {
    scalar.Floor: "floor", scalar.Ceil: "ceil", scalar.Trunc: "trunc", scalar.Sign: "sign",
    scalar.RoundHalfToEven: "round", scalar.RoundHalfAwayFromZero: "round", scalar.Mod: "mod",
    scalar.IntDiv: "//",
}  # fmt: skip
_COMPARISONS = {scalar.LT: "<", scalar.GT: ">", scalar.LE: "<=", scalar.GE: ">="}
_ORDERS = {Argmax: "argmax", ArgSortOp: "argsort", SearchsortedOp: "searchsorted"}
# The places of the bounds of a support among the parameters.
_BOUNDS = {UniformRV: (0, 1), TriangularRV: (0, 2), ParetoRV: (1,), TruncatedNormalRV: (2, 3),
           WaldRV: (2,)}  # fmt: skip
# Variables a message names before it stops counting them out.
_NAMED = 3


def discontinuities(model: Any, factors: Sequence[Any]) -> tuple[str, ...]:
    """Name the operations by which a log density can jump or be flat, and supports that move.

    Parameters
    ----------
    model
        The model.
    factors
        The log densities of free and observed variables and potentials, in the model's values.

    Returns
    -------
    tuple
        Such as ``"`switch` on x (Potential p)"`` and ``"support of y on t (Uniform)"``.
    """
    densities = dict(
        zip([*model.free_RVs, *model.observed_RVs, *model.potentials], factors, strict=True)
    )
    found: dict[str, None] = {}
    for variable, factor in densities.items():
        reader = _Reader(model)
        if variable in model.potentials:
            found |= dict.fromkeys(reader.steps([variable], f"Potential {variable.name}"))
            continue
        node = variable.owner
        if isinstance(node.op, CustomDistRV):
            found |= dict.fromkeys(reader.steps([factor], str(variable.name)))
        found |= dict.fromkeys(reader.steps(node.inputs, str(variable.name)))
        found |= dict.fromkeys(reader.inside(node, str(variable.name)))
        if model.rvs_to_transforms.get(variable) is None:
            found |= dict.fromkeys(reader.supports(node, str(variable.name)))
    return tuple(found)


class _Reader:
    """Reads graphs in which the free variables of a model, or their values, are leaves."""

    def __init__(self, model: Any) -> None:
        self._free = {rv: str(rv.name) for rv in model.free_RVs}
        self._free |= {model.rvs_to_values[rv]: str(rv.name) for rv in model.free_RVs}
        self._leaves = {*self._free, *model.basic_RVs}

    def steps(self, outputs: Sequence[Any], place: str) -> Iterator[str]:
        """Describe the operations that step between free variables and these expressions."""
        nodes = [node for node in toposort(outputs, blockers=self._leaves)]
        live = set(self._free)
        chosen = _conditions(nodes)
        for node in nodes:
            read = [variable for variable in _data(node) if variable in live]
            if not read:
                continue
            live.update(made for made in node.outputs if _is_real(made))
            for word in _words(node, read, chosen):
                yield f"`{word}` on {self._names(read)} ({place})"
            for word in _words_inside(node):
                yield f"`{word}` on {self._names(read)} ({place})"
            if isinstance(node.op, RandomVariable | SymbolicRandomVariable):
                yield from self.supports(node, place)

    def inside(self, node: Apply, place: str) -> Iterator[str]:
        """Describe the operations in a distribution that a user composed."""
        read = [variable for variable in node.inputs if self._reads(variable)]
        if read and isinstance(node.op, CustomSymbolicDistRV):
            for word in _words_of(node.op.fgraph.inputs, node.op.fgraph.outputs):
                yield f"`{word}` on {self._names(read)} ({place})"

    def supports(self, node: Apply, place: str) -> Iterator[str]:
        """Describe a support whose bounds depend on free variables."""
        bounds = [bound for bound in _bounds(node) if self._reads(bound)]
        if bounds:
            kind = type(node.op).__name__.removesuffix("RV")
            yield f"support of {place} on {self._names(bounds)} ({kind})"

    def _reads(self, variable: Any) -> bool:
        return not self._free.keys().isdisjoint(ancestors([variable], blockers=self._leaves))

    def _names(self, variables: Sequence[Any]) -> str:
        above = set(ancestors(variables, blockers=self._leaves))
        names = dict.fromkeys(name for leaf, name in self._free.items() if leaf in above)
        more = ", …" if len(names) > _NAMED else ""
        return ", ".join(list(names)[:_NAMED]) + more


def _words(node: Apply, read: Sequence[Any], chosen: dict[Any, str | None]) -> Iterator[str]:
    """Name what steps in a node; a comparison by what it decides."""
    operation = getattr(node.op, "scalar_op", None)
    if isinstance(node.op, Elemwise):
        kind = type(operation)
        if kind in _COMPARISONS:
            word = chosen.get(node.outputs[0], _COMPARISONS[kind])
            if word is not None:
                yield word
        elif kind in _STEPS:
            yield _STEPS[kind]
        elif kind is scalar.Cast and not _is_real(node.outputs[0]) and any(map(_is_real, read)):
            yield "cast"
    elif type(node.op) in _ORDERS:
        yield _ORDERS[type(node.op)]


def _words_inside(node: Apply) -> Iterator[str]:
    """Name what steps in the graph that an operation has inside, as a loop has."""
    # What PyTensor and PyMC put together themselves is smooth.
    if isinstance(node.op, HasInnerGraph) and not isinstance(
        node.op, SymbolicOp | SymbolicRandomVariable
    ):
        yield from _words_of(node.op.inner_inputs, node.op.inner_outputs)


def _words_of(inputs: Sequence[Any], outputs: Sequence[Any]) -> Iterator[str]:
    nodes = list(toposort(outputs, blockers=inputs))
    live = set(filter(_is_real, inputs))
    chosen = _conditions(nodes)
    for node in nodes:
        if read := [variable for variable in _data(node) if variable in live]:
            if not isinstance(node.op, RandomVariable):
                live.update(made for made in node.outputs if _is_real(made))
            yield from _words(node, read, chosen)
            yield from _words_inside(node)


def _conditions(nodes: Iterable[Apply]) -> dict[Any, str | None]:
    """Find what booleans decide: a choice, by its name, or what is no step, `None`."""
    chosen: dict[Any, str | None] = {}
    for node in reversed(list(nodes)):
        words = _decides(node)
        for variable in node.inputs:
            word = words.get(variable)
            if variable in words and chosen.get(variable, word) in (None, word):
                chosen[variable] = word
        # What is made of booleans decides what its result decides.
        for made in node.outputs:
            if made in chosen and not _is_real(made) and _kinds(node) <= {"b"}:
                chosen |= dict.fromkeys(node.inputs, chosen[made])
    return chosen


def _kinds(node: Apply) -> set[str]:
    """List the kinds of numbers that a node reads."""
    return {np.dtype(getattr(one.type, "dtype", None) or object).kind for one in node.inputs}


def _decides(node: Apply) -> dict[Any, str | None]:
    if isinstance(node.op, CheckAndRaise):
        return dict.fromkeys(node.inputs[1:])
    if isinstance(node.op, IfElse):
        return {node.inputs[0]: "ifelse"}
    if isinstance(node.op, Elemwise) and isinstance(node.op.scalar_op, scalar.Switch):
        return {node.inputs[0]: None if _is_smooth(node) else "switch"}
    return {}


def _is_smooth(switch: Apply) -> bool:
    """Return whether a switch chooses between two formulas of the tail of a normal distribution."""
    return any(
        variable.owner is not None
        and isinstance(getattr(variable.owner.op, "scalar_op", None), Erfcx)
        for variable in ancestors(switch.inputs[1:])
    )


def _data(node: Apply) -> Sequence[Any]:
    """List what a node computes with: of a check only what is passed on."""
    return node.inputs[:1] if isinstance(node.op, CheckAndRaise) else node.inputs


def _bounds(node: Apply) -> Sequence[Any]:
    if isinstance(node.op, TruncatedRV | CensoredRV):
        # Behind what belongs to the distribution that is truncated or censored.
        return [one for one in node.inputs if hasattr(one.type, "dtype")][-2:]
    places = _BOUNDS.get(type(node.op), ())
    parameters = node.op.dist_params(node) if places else ()
    return [parameters[place] for place in places]


def _is_real(variable: Any) -> bool:
    return np.dtype(getattr(variable.type, "dtype", None) or bool).kind == "f"
