"""Mapping over draws: the order of evaluation changes, the result does not."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from taut.engine import map_draws, points_at_once


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def both(z: Any) -> dict[str, Any]:
    """A function with a tree of results, one of them no array of JAX."""
    return {"sum": jnp.sum(z), "same": z, "constant": 3.0}


# Rows so many that all draws go together, that some do, and that each goes by itself.
ROWS = [0, 1, 1000, 60_000, 399_999, 400_000, 10**7]


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("count", [1, 2, 7, 8])
def test_each_draw_is_mapped_by_itself(count: int, rows: int) -> None:
    draws = np.arange(3.0 * count).reshape(count, 3)
    mapped = map_draws(both, jnp.asarray(draws), rows)
    np.testing.assert_allclose(mapped["sum"], draws.sum(axis=1))
    np.testing.assert_array_equal(mapped["same"], draws)
    np.testing.assert_array_equal(mapped["constant"], np.full(count, 3.0))


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("count", [1, 5])
def test_gradients_go_through(count: int, rows: int) -> None:
    def total(draws: Any) -> Any:
        return jnp.sum(map_draws(lambda z: jnp.sum(z**2), draws, rows))

    draws = jnp.arange(2.0 * count).reshape(count, 2)
    np.testing.assert_allclose(jax.jit(jax.grad(total))(draws), 2 * draws)


@pytest.mark.parametrize("rows", [1, 10**7])
@pytest.mark.parametrize("count", [1, 5])
def test_draws_may_be_a_tree(count: int, rows: int) -> None:
    draws = {"a": jnp.arange(1.0 * count), "b": jnp.ones((count, 2))}
    mapped = map_draws(lambda z: z["a"] + z["b"].sum(), draws, rows)
    np.testing.assert_array_equal(mapped, np.arange(1.0 * count) + 2)


@pytest.mark.parametrize(
    ("rows", "columns", "at_once"),
    [(10**5, 3, 4), (10**5, 30, 8), (4 * 10**4, 100, 64), (10**6, 20, 4), (10**7, 1000, 8)],
)
def test_a_wide_matrix_is_read_less_often(rows: int, columns: int, at_once: int) -> None:
    """By a value and a gradient, which multiply twice for each element."""
    assert points_at_once(rows, 2 * rows * columns) == at_once


def test_draws_of_a_wide_matrix_go_together() -> None:
    def loops(columns: int) -> bool:
        def mapped(matrix: Any, draws: Any) -> Any:
            return map_draws(lambda z: jnp.sum(matrix @ z), draws, 200_000)

        shapes = (200_000, columns), (8, columns)
        jaxpr = jax.make_jaxpr(mapped)(*(jax.ShapeDtypeStruct(s, jnp.float64) for s in shapes))
        return "scan" in str(jaxpr)

    assert loops(2)
    assert not loops(150)


def test_a_gpu_evaluates_together_what_its_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert points_at_once(10**6) == 1
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert points_at_once(10**6) == 256
    assert points_at_once(10**9) == 1
    assert points_at_once(0) > 10**8


def test_draws_of_a_large_likelihood_go_one_after_another() -> None:
    """Else their intermediate arrays leave the cache, at five times the time."""
    draws = jnp.zeros((8, 3))

    def loops(rows: int) -> bool:
        jaxpr = jax.make_jaxpr(lambda draws: map_draws(jnp.sum, draws, rows))(draws)
        return "scan" in str(jaxpr) or "while" in str(jaxpr)

    assert loops(10**6)
    assert not loops(10)
