"""The constraints on norms against PyMC's."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pymc.variational.updates as theirs
import pytensor.tensor as pt
import pytest

from taut.errors import ArgumentError
from taut.optimizer import norm_constraint, total_norm_constraint

SHAPES = [(4,), (3, 4), (2, 3, 4), (2, 3, 2, 2), (2, 2, 3, 1, 2)]


def draw(shape: tuple[int, ...], scale: float = 3.0) -> np.ndarray:
    return scale * np.random.default_rng(1).normal(size=shape)


def value_of(expression: Any) -> Any:
    return expression.eval(mode="FAST_COMPILE")


@pytest.mark.parametrize("shape", SHAPES[1:])
@pytest.mark.parametrize("given", [{}, {"epsilon": 0.1}])
def test_norm_constraint_is_pymcs(shape: tuple[int, ...], given: dict[str, float]) -> None:
    value = draw(shape)
    expected = value_of(theirs.norm_constraint(pt.constant(value), 2.0, **given))
    np.testing.assert_allclose(norm_constraint(value, 2.0, **given), expected, rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_norm_constraint_over_named_axes_is_pymcs(shape: tuple[int, ...]) -> None:
    value, axes = draw(shape), [len(shape) - 1]
    expected = value_of(theirs.norm_constraint(pt.constant(value), 0.5, norm_axes=axes))
    np.testing.assert_allclose(norm_constraint(value, 0.5, norm_axes=axes), expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(), (4,), (1, 1, 1, 1, 1, 2)])
def test_norm_constraint_refuses_dimensions(shape: tuple[int, ...]) -> None:
    value = draw(shape)
    with pytest.raises(ValueError, match="Must specify"):
        theirs.norm_constraint(pt.constant(value), 2.0)
    message = rf"norm_axes has no default for an array of {len(shape)} dimensions"
    with pytest.raises(ArgumentError, match=message):
        norm_constraint(value, 2.0)
    assert issubclass(ArgumentError, ValueError)


def test_small_norms_are_let_through() -> None:
    value = draw((3, 4), 1e-3)
    np.testing.assert_allclose(norm_constraint(value, 1.0, epsilon=0.0), value)
    np.testing.assert_array_equal(norm_constraint(np.zeros((2, 2)), 1.0), np.zeros((2, 2)))


@pytest.mark.parametrize("max_norm", [0.5, 1e3])
@pytest.mark.parametrize("given", [{}, {"epsilon": 0.1}])
def test_total_norm_constraint_is_pymcs(max_norm: float, given: dict[str, float]) -> None:
    values = [draw(shape) for shape in SHAPES]
    symbols = [pt.constant(value) for value in values]
    scaled, norm = theirs.total_norm_constraint(symbols, max_norm, return_norm=True, **given)
    ours, our_norm = total_norm_constraint(values, max_norm, return_norm=True, **given)
    for mine, other in zip(ours, scaled, strict=True):
        np.testing.assert_allclose(mine, value_of(other), rtol=1e-12)
    np.testing.assert_allclose(our_norm, value_of(norm), rtol=1e-12)


def test_total_norm_constraint_keeps_structure_and_types() -> None:
    tree = {"a": jnp.ones(3, jnp.float32), "b": (jnp.ones(2), [jnp.asarray(1.0)])}
    scaled = jax.jit(total_norm_constraint, static_argnames="return_norm")(tree, np.float64(0.5))
    assert jax.tree.structure(scaled) == jax.tree.structure(tree)
    assert jax.tree.map(lambda x: x.dtype, scaled) == jax.tree.map(lambda x: x.dtype, tree)
    assert not any(x.weak_type for x in jax.tree.leaves(scaled))
    squares = [float(jnp.sum(x**2)) for x in jax.tree.leaves(scaled)]
    np.testing.assert_allclose(np.sqrt(sum(squares)), 0.5, rtol=1e-6)


def test_norm_constraint_keeps_single_precision() -> None:
    scaled = norm_constraint(jnp.ones((2, 2), jnp.float32), np.float64(0.5))
    assert scaled.dtype == jnp.float32
