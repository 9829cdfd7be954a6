"""What many operations read is computed once, and nothing else is changed."""

from collections.abc import Iterator

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytest
from jaxtyping import Array
from pymc.math import sin

import taut
from taut.engine import Timing
from taut.engine.materialize import keep_what_is_read_often
from taut.gradients import Gradients


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def read(x: Array, times: int) -> Array:
    y = jnp.sin(x)
    return jnp.stack([jnp.sum(y**i) for i in range(1, times + 1)])


def waves(count: int) -> pm.Model:
    """Many terms of one mean: the derivative by each parameter reads all residuals."""
    time = np.linspace(0.0, 1.0, 50)
    with pm.Model() as model:
        mean = 0.0
        for i in range(count):
            mean += pm.Normal(f"height_{i}") * sin(time * pm.LogNormal(f"rate_{i}"))
        pm.Normal("y", mean, observed=np.cos(time))
    return model


def barriers(jaxpr: jex.Jaxpr) -> int:
    own = sum(equation.primitive.name == "optimization_barrier" for equation in jaxpr.eqns)
    parts = (part for equation in jaxpr.eqns for part in jex.jaxprs_in_params(equation.params))
    return own + sum(map(barriers, parts))


def in_a_loop(x: Array, times: int) -> Array:
    return jax.lax.fori_loop(0, 3, lambda _, y: jnp.full(4, read(y, times).mean()), x)


def in_a_branch(x: Array, times: int) -> Array:
    return jax.lax.cond(x[0] > 0, lambda: read(x, times), lambda: jnp.zeros(times))


@pytest.mark.parametrize("function", [read, in_a_loop, in_a_branch])
def test_an_array_that_many_read_is_kept(function: object) -> None:
    x = jnp.linspace(0.1, 1.0, 4)
    jaxpr = jax.make_jaxpr(lambda x: function(x, 20))(x)  # type: ignore[operator]
    kept = keep_what_is_read_often(jaxpr)
    assert (barriers(jaxpr), barriers(kept)) == (0, 1)
    expected, found = (jex.jaxpr_as_fun(each)(x) for each in (jaxpr, kept))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("function", [read, in_a_loop, in_a_branch])
def test_a_program_whose_arrays_few_read_is_the_same(function: object) -> None:
    jaxpr = jax.make_jaxpr(lambda x: function(x, 3))(jnp.ones(4))  # type: ignore[operator]
    assert keep_what_is_read_often(jaxpr) is jaxpr


def test_scalars_and_what_costs_nothing_are_not_kept() -> None:
    def program(x: Array) -> list[Array]:
        scale, spread = jnp.exp(x[0]), jnp.broadcast_to(x[1], (5,))
        return [scale * i + spread for i in range(20)]

    jaxpr = jax.make_jaxpr(program)(jnp.ones(2))
    assert barriers(keep_what_is_read_often(jaxpr)) == 0


def sines(count: int) -> int:
    """Count the sines in what XLA makes of a gradient."""
    target = taut.as_target(waves(count))
    Gradients(target, Timing())(np.zeros((1, target.dim)))
    (program,) = target.programs.compiled.values()
    return program.as_text().count(" sine(")


def test_a_mean_of_many_terms_computes_each_once() -> None:
    # Without it there are about 2 x 10² and 2 x 20² sines.
    assert sines(20) <= 2.2 * sines(10) <= 2.2 * 4 * 10
