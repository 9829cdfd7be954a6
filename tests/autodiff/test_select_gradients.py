"""What a select leaves out has no derivative, and nothing else changes."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Array

from taut.autodiff import guard_selects

POINT = np.array([0.0, 1.0, 2.0])


@pytest.fixture(autouse=True)
def _double() -> Any:
    with jax.enable_x64(True):
        yield


def power(x: Array) -> Array:
    return jnp.where(x == 0, 0.0, POINT * jnp.log(x))


def nested(x: Array) -> Array:
    inner = jnp.where(x > 1, jnp.sqrt(x - 1), jnp.log(x))
    return jnp.where(x > 0, inner, x)


def shared(x: Array) -> Array:
    """One logarithm that both of two selects read, under different conditions."""
    log = jnp.log(x)
    return jnp.where(x > 0, log, 0.0) + jnp.where(x > 1, 2 * log, x)


def by_its_own_result(x: Array) -> Array:
    """The condition is computed from what is guarded."""
    log = jnp.log(x)
    return jnp.where(log > -5, log, x)


def summed(x: Array) -> Array:
    """Rows of two terms, of which some do not count."""
    return jnp.where(x > 0, jnp.log(jnp.stack([x, x], axis=1)).sum(axis=1), x)


def overflow(x: Array) -> Array:
    """Not the derivative, but the value of what is left out is infinite."""
    return jnp.where(x < 1.5, x**2, jnp.exp(1e3 * x) * 0 + x)


def in_a_loop(x: Array) -> Array:
    def step(carry: Array, at: Array) -> tuple[Array, Array]:
        carry = carry + jnp.where(at > 0, jnp.log(at), at)
        return carry, carry

    return jax.lax.scan(step, jnp.zeros((), x.dtype), x)[0]


def integer_case(x: Array) -> Array:
    which = (x > 0).astype(int) + (x > 1)
    return jax.lax.select_n(which, x, jnp.log(x), jnp.sqrt(x - 1))


# With the derivative and the second one at POINT, worked out by hand.
FUNCTIONS: dict[str, tuple[Callable[[Array], Array], Any, Any]] = {
    "power": (power, [0, 1, 1], [0, -1, -1 / 2]),
    "nested": (nested, [1, 1, 1 / 2], [0, -1, -1 / 4]),
    "shared": (shared, [1, 2, 3 / 2], [0, -1, -3 / 4]),
    "by_its_own_result": (by_its_own_result, [1, 1, 1 / 2], [0, -1, -1 / 4]),
    "summed": (summed, [1, 2, 1], [0, -2, -1 / 2]),
    "overflow": (lambda x: overflow(x[:2]), [0, 2, 0], [2, 2, 0]),
    "in_a_loop": (in_a_loop, [1, 1, 1 / 2], [0, -1, -1 / 4]),
    "integer_case": (integer_case, [1, 1, 1 / 2], [0, -1, -1 / 4]),
}


def total(name: str) -> Callable[[Array], Array]:
    function = FUNCTIONS[name][0]
    return guard_selects(lambda x: function(x).sum(), 1)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_stay_the_same_to_the_bit(name: str) -> None:
    function = FUNCTIONS[name][0]
    assert total(name)(POINT) == function(jnp.asarray(POINT)).sum()


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("gradient", [jax.jacrev, jax.jacfwd])
def test_derivatives(name: str, gradient: Any) -> None:
    np.testing.assert_allclose(gradient(total(name))(POINT), FUNCTIONS[name][1], rtol=1e-14)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("outer", [jax.jacrev, jax.jacfwd])
@pytest.mark.parametrize("inner", [jax.jacrev, jax.jacfwd])
def test_second_derivatives(name: str, outer: Any, inner: Any) -> None:
    second = jax.jit(outer(inner(total(name))))(POINT)
    np.testing.assert_allclose(second, np.diag(FUNCTIONS[name][2]), rtol=1e-14)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_many_points_at_once(name: str) -> None:
    many = jax.vmap(jax.grad(total(name)))(np.stack([POINT, POINT]))
    np.testing.assert_allclose(many, [FUNCTIONS[name][1]] * 2, rtol=1e-14)


def test_these_functions_have_no_gradient_otherwise() -> None:
    """Or else the tests above would show nothing."""
    for name, (function, *_) in FUNCTIONS.items():
        assert np.isnan(jax.grad(lambda x, f=function: f(x).sum())(POINT)).any(), name


def operations(function: Any, *args: Any) -> list[str]:
    return [equation.primitive.name for equation in jax.make_jaxpr(function)(*args).jaxpr.eqns]


def test_a_density_out_of_its_support_is_left_alone() -> None:
    def density(x: Array) -> Array:
        return jnp.where(x > 0, jnp.log(x), -jnp.inf).sum()

    assert "stop_gradient" not in operations(guard_selects(density, 1), POINT)
    assert "stop_gradient" in operations(guard_selects(density, 1, is_sum=False), POINT)


def test_minus_infinity_inside_of_a_function_counts() -> None:
    """As in a mixture, to which a component may add nothing."""

    def density(x: Array) -> Array:
        component = jnp.where(x > 0, jnp.log(x), -jnp.inf)
        return jnp.logaddexp(component, -1.0).sum()

    assert np.isnan(
        jax.grad(lambda x: jnp.exp(jnp.where(x > 0, jnp.log(x), -jnp.inf)).sum())(POINT)
    ).any()
    guarded = guard_selects(lambda x: jnp.exp(jnp.where(x > 0, jnp.log(x), -jnp.inf)).sum(), 1)
    np.testing.assert_allclose(jax.grad(guarded)(POINT), [0, 1, 1])
    assert np.isfinite(jax.grad(guard_selects(density, 1))(POINT)).all()


def test_data_have_no_guards() -> None:
    function = guard_selects(lambda x, data: jnp.where(data > 0, x * jnp.log(data), x).sum(), 1)
    names = operations(function, POINT, POINT)
    assert names.count("stop_gradient") == 1


def test_what_nothing_selects_is_the_same_program() -> None:
    function = guard_selects(lambda x: jnp.log(x).sum(), 1)
    assert operations(function, POINT) == ["log", "reduce_sum"]


def test_a_long_chain_of_selects() -> None:
    """Each depends on the one before: the program stays as long as the chain."""

    def chain(x: Array) -> Array:
        for i in range(200):
            x = jnp.where(x > i, jnp.log(x), x + 1.0)
        return x.sum()

    assert len(operations(guard_selects(chain, 1), POINT)) < 4 * len(operations(chain, POINT)) + 400
    assert np.isfinite(jax.grad(guard_selects(chain, 1))(POINT)).all()


@given(st.lists(st.sampled_from(["abs", "max", "min"]), min_size=1, max_size=4))
@settings(max_examples=20, deadline=None)
def test_corners_have_pytensor_s_derivative(names: list[str]) -> None:
    """Those of ``abs`` at zero and of the larger of two equals, one in the other."""
    takes = {
        "abs": (jnp.abs, 0.0),
        "max": (lambda x: jnp.maximum(x, 0.0), 1.0),
        "min": (lambda x: jnp.minimum(x, 0.0), 1.0),
    }

    def function(x: Array) -> Array:
        for name in names:
            x = takes[name][0](x)
        return x

    expected = float(np.prod([takes[name][1] for name in names]))
    assert float(jax.grad(guard_selects(function, 1))(0.0)) == expected
    assert float(jax.jvp(guard_selects(function, 1), (0.0,), (1.0,))[1]) == expected
