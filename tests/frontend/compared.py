"""What taut says of a point, and what PyMC says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pymc as pm

import taut


@dataclass(frozen=True)
class Values:
    """What a model says of one point."""

    prior: Any
    likelihood: Any
    gradient: Any
    constrained: Mapping[str, Any]


def points(dim: int, count: int = 3) -> np.ndarray:
    """Draw points in the unconstrained space, some way from its origin."""
    return np.random.default_rng(7).normal(0.0, 0.8, size=(count, dim))


def by_taut(target: taut.Target, zs: np.ndarray) -> list[Values]:
    """Evaluate a target as fits do: compiled, with the data as arguments."""

    def evaluate(z: jax.Array) -> Any:
        gradient = jax.grad(target.log_density)(z)
        return *target.split(z), gradient, target.constrain(z)

    with target.precision():
        compiled = jax.jit(evaluate)
        return [Values(*jax.tree.map(np.asarray, compiled(z))) for z in zs.astype(target.dtype)]


def by_pymc(model: pm.Model, target: taut.Target, zs: np.ndarray) -> list[Values]:
    """Evaluate PyMC's own expressions."""
    names = {rv.name for rv in model.unobserved_RVs}
    constrained = [v for v in model.unobserved_value_vars if v.name in names]
    outputs = [model.varlogp, model.datalogp, model.dlogp(), *constrained]
    function = model.compile_fn(outputs, mode="FAST_COMPILE", on_unused_input="ignore")
    rows = [function(target.space.unravel(z)) for z in zs]
    return [Values(*row[:3], _named(constrained, row[3:])) for row in rows]


def _named(variables: list[Any], values: list[Any]) -> dict[str, Any]:
    return {v.name: value for v, value in zip(variables, values, strict=True)}


def assert_close(actual: Any, expected: Any, rtol: float = 1e-8) -> None:
    scale = 1.0 + np.max(np.abs(expected), initial=0.0)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=0.01 * rtol * scale)
    assert np.shape(actual) == np.shape(expected)
