"""Walk through what a traced function does."""

import math
from collections.abc import Iterator
from typing import Any

import jax.extend.core as jex


def equations_of(jaxpr: jex.Jaxpr, calls: int = 1) -> Iterator[tuple[jex.JaxprEqn, int]]:
    """Walk through all equations, with how often each is evaluated, as far as that is known."""
    for equation in jaxpr.eqns:
        yield equation, calls
        for part in jex.jaxprs_in_params(equation.params):
            yield from equations_of(part, calls * calls_of(equation))


def calls_of(equation: jex.JaxprEqn) -> int:
    """Return how often what is inside of an equation is evaluated, as far as that is known."""
    return equation.params.get("length", 1)


def products(equation: jex.JaxprEqn) -> int:
    """Count the multiplications of a matrix product."""
    (contracted, _), _ = equation.params["dimension_numbers"]
    shape, made = shape_of(equation.invars[0]), shape_of(equation.outvars[0])
    return math.prod(made) * math.prod(shape[axis] for axis in contracted)


def shape_of(operand: Any) -> tuple[int, ...]:
    """Return the shape of an operand; that of a scalar where it has none."""
    return getattr(operand.aval, "shape", ())
