"""Which operands of a program need a guard, for what selects leave out to have no derivative."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax.extend.core as jex
import numpy as np

from taut.autodiff.select_masks import Mask, Reshaped, union, within

# Whose derivatives are finite numbers, whatever the operands are.
_LINEAR = frozenset({"add", "add_any", "sub", "neg", "convert_element_type", "copy"})
# Each element of the result is made of the same elements of the operands.
_ELEMENTWISE = _LINEAR | {
    *("abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "bessel_i0e"),
    *("bessel_i1e", "cbrt", "clamp", "cos", "cosh", "digamma", "div", "erf", "erf_inv", "erfc"),
    *("exp", "exp2", "expm1", "igamma", "igammac", "integer_pow", "lgamma", "log", "log1p"),
    *("logistic", "max", "min", "mul", "optimization_barrier", "polygamma", "polynomial", "pow"),
    *("regularized_incomplete_beta", "rem", "rsqrt", "select_n", "sin", "sinh", "sqrt", "square"),
    *("sub", "tan", "tanh", "zeta"),
}
# The same, without a derivative.
_STEPS = frozenset({"and", "bitcast_convert_type", "ceil", "eq", "floor", "ge", "gt", "is_finite",
                    "le", "lt", "ne", "not", "or", "round", "sign", "xor"})  # fmt: skip
_REDUCTIONS = frozenset({"reduce_sum", "reduce_max", "reduce_min", "reduce_prod"})
_SAME_ELEMENTS = frozenset({"reshape", "squeeze"})
# What keeps minus infinity as a term: a sum of it is minus infinity.
_SUMS = frozenset({"add", "add_any", "convert_element_type", "copy", "reduce_sum", "reshape",
                   "squeeze", "broadcast_in_dim", "transpose"})  # fmt: skip
_FEW = 64


@dataclass(frozen=True)
class _Edge:
    """An operand of an equation, and where its derivative can differ from zero.

    It is `clean` if the derivative is zero elsewhere, and not the product of zero and infinity.
    """

    equation: int
    place: int
    mask: Mask | None
    clean: bool


@dataclass(frozen=True)
class Guards:
    """Which operands are guarded, by equation and place, and the variables that masks read."""

    of: dict[int, dict[int, Mask]]
    read: set[jex.Var]


def find_guards(
    program: jex.ClosedJaxpr, differentiated: Sequence[bool], *, is_sum: bool
) -> Guards:
    """Find the operands that need a guard.

    Parameters
    ----------
    program
        Without calls of compiled functions.
    differentiated
        By which of its arguments derivatives are taken.
    is_sum
        Whether its results are log densities, whose derivatives do not matter where they are minus
        infinity.
    """
    flow = _Flow(program, differentiated, is_sum)
    for number in reversed(range(len(program.jaxpr.eqns))):
        flow.pass_back(number)
    flow.finish()
    masks = [mask for places in flow.guards.values() for mask in places.values()]
    read = {variable for mask in masks for variable in mask.predicates()}
    for equation in reversed(program.jaxpr.eqns):
        if not read.isdisjoint(equation.outvars):
            read.update(_variables(equation))
    return Guards(dict(flow.guards), read)


@dataclass(eq=False)
class _Flow:
    """One pass over a program from its results to its arguments."""

    program: jex.ClosedJaxpr
    differentiated: Sequence[bool]
    is_sum: bool
    guards: dict[int, dict[int, Mask]] = field(default_factory=lambda: defaultdict(dict))
    _edges: dict[jex.Var, list[_Edge]] = field(default_factory=lambda: defaultdict(list))
    # Variables that are more than terms of a result.
    _inside: set[jex.Var] = field(default_factory=set)

    def __post_init__(self) -> None:
        jaxpr = self.program.jaxpr
        self._live = _live(jaxpr, self.differentiated)
        self._infinite = _infinite(self.program)
        for result in jaxpr.outvars:
            if isinstance(result, jex.Var):
                self._edges[result].append(_Edge(-1, 0, None, True))
                if not self.is_sum:
                    self._inside.add(result)

    def pass_back(self, number: int) -> None:
        """Pass the masks of an equation's results on to its operands."""
        equation = self.program.jaxpr.eqns[number]
        is_passing = _is_passing(equation, self._live)
        masks = [self._settle(made, is_passing) for made in equation.outvars]
        if not any(made in self._edges for made in equation.outvars):
            return
        [(mask, clean), *_] = masks if is_passing else [(None, True)]
        for place, operand in enumerate(equation.invars):
            if not isinstance(operand, jex.Var) or operand not in self._live:
                continue
            self._edges[operand].append(self._edge(equation, number, place, mask, clean))
            if self._is_inside(equation, place):
                self._inside.add(operand)

    def finish(self) -> None:
        """Guard what reads the arguments themselves."""
        for argument in self.program.jaxpr.invars:
            self._settle(argument, False)

    def _settle(self, made: jex.Var, can_pass: bool) -> tuple[Mask | None, bool]:
        """Return a variable's mask, and guard the operands whose masks are narrower."""
        edges = self._edges.get(made, [])
        mask = union(edge.mask for edge in edges) if can_pass and edges else None
        clean = True
        for edge in edges:
            if edge.clean or edge.mask is None:
                continue
            if edge.mask == mask:
                clean = False
            else:
                self.guards[edge.equation][edge.place] = edge.mask
        return mask, clean

    def _edge(
        self, equation: jex.JaxprEqn, number: int, place: int, mask: Mask | None, clean: bool
    ) -> _Edge:
        name = equation.primitive.name
        if name == "select_n":
            if not self._ends_as_infinite(equation, place):
                mask = within(equation.invars[0], place - 1, mask)
            return _Edge(number, place, mask, clean)
        if mask is None:
            return _Edge(number, place, None, True)
        old, shape = _shape(equation.outvars[0]), _shape(equation.invars[place])
        if name in _REDUCTIONS:
            axes = tuple(i for i in range(len(shape)) if i not in equation.params["axes"])
            return _Edge(
                number, place, Reshaped(mask, old, shape, axes), clean and name == "reduce_sum"
            )
        if name in _SAME_ELEMENTS or name == "broadcast_in_dim":
            return _Edge(number, place, Reshaped(mask, old, shape), clean)
        return _Edge(number, place, mask, clean and _is_linear(equation))

    def _ends_as_infinite(self, select: jex.JaxprEqn, place: int) -> bool:
        """Return whether the density is not finite wherever this case is not taken."""
        others = [case for i, case in enumerate(select.invars) if i not in (0, place)]
        return select.outvars[0] not in self._inside and all(map(self._is_infinite, others))

    def _is_infinite(self, operand: Any) -> bool:
        if isinstance(operand, jex.Var):
            return operand in self._infinite
        return not np.isfinite(operand.val).any()

    def _is_inside(self, equation: jex.JaxprEqn, place: int) -> bool:
        """Return whether an operand is more than a term of a result."""
        name = equation.primitive.name
        is_term = name in _SUMS or (name, place) == ("sub", 0) or (name == "select_n" and place)
        return not is_term or not self._inside.isdisjoint(equation.outvars)


def _is_linear(equation: jex.JaxprEqn) -> bool:
    """Return whether the derivatives are finite, whatever the operands are."""
    name, (first, *rest) = equation.primitive.name, equation.invars
    is_scaled = name == "div" or (name == "mul" and not isinstance(first, jex.Literal))
    factor = rest[0] if rest and is_scaled else first
    if name in _LINEAR:
        return True
    number = getattr(factor, "val", None) if name in ("mul", "div") else None
    return number is not None and bool(np.isfinite(number) and number != 0)


def _live(jaxpr: jex.Jaxpr, differentiated: Sequence[bool]) -> set[jex.Var]:
    """Find what depends on the arguments, of the numbers that have derivatives."""
    pairs = zip(jaxpr.invars, differentiated, strict=True)
    live = {var for var, is_free in pairs if is_free and _is_real(var)}
    for equation in jaxpr.eqns:
        if equation.primitive.name != "stop_gradient" and not live.isdisjoint(_variables(equation)):
            live.update(filter(_is_real, equation.outvars))
    return live


def _is_real(variable: Any) -> bool:
    return np.issubdtype(getattr(variable.aval, "dtype", bool), np.inexact)


def _infinite(program: jex.ClosedJaxpr) -> set[jex.Var]:
    """Find small constants of which no element is finite."""
    pairs = zip(program.jaxpr.constvars, program.consts, strict=True)
    found = {var for var, value in pairs if _is_real(var) and _is_small_and_infinite(value)}
    for equation in program.jaxpr.eqns:
        if equation.primitive.name in ("broadcast_in_dim", "convert_element_type"):
            source = equation.invars[0]
            is_variable = isinstance(source, jex.Var)
            if source in found if is_variable else _is_small_and_infinite(source.val):
                found.update(equation.outvars)
    return found


def _is_small_and_infinite(value: Any) -> bool:
    if np.size(value) > _FEW or not np.issubdtype(np.asarray(value).dtype, np.inexact):
        return False
    return not np.isfinite(np.asarray(value)).any()


def _is_passing(equation: jex.JaxprEqn, live: set[jex.Var]) -> bool:
    """Return whether the mask of a result holds for the operands too."""
    if len(equation.outvars) != 1:
        return False
    name, shape = equation.primitive.name, _shape(equation.outvars[0])
    if name in _REDUCTIONS or name in _SAME_ELEMENTS:
        return True
    if name == "broadcast_in_dim":
        return math.prod(shape) == math.prod(_shape(equation.invars[0]))
    if any(_shape(operand) != shape for operand in live.intersection(_variables(equation))):
        return False
    return name in _ELEMENTWISE or (name == "custom_jvp_call" and _is_elementwise(equation))


def _is_elementwise(equation: jex.JaxprEqn) -> bool:
    return all(
        name in _ELEMENTWISE or name in _STEPS or name == "broadcast_in_dim"
        for name in _names(equation.params["call_jaxpr"].jaxpr)
    )


def _names(jaxpr: jex.Jaxpr) -> Iterator[str]:
    for equation in jaxpr.eqns:
        inner = list(jex.jaxprs_in_params(equation.params))
        if not inner:
            yield equation.primitive.name
        for part in inner:
            yield from _names(part)


def _variables(equation: jex.JaxprEqn) -> list[jex.Var]:
    return [operand for operand in equation.invars if isinstance(operand, jex.Var)]


def _shape(operand: Any) -> tuple[int, ...]:
    return operand.aval.shape
