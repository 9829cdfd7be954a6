"""Low rank: what it reaches, and what it never makes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import taut
from taut.errors import ArgumentError
from taut.family import LowRank
from taut.objective import ELBO, path, total
from taut.target import Space

LARGE = 10_000


def normal(z: Any, data: Any, batch: Any) -> tuple[Any, Any]:
    """Independent standard normals and one direction in which they lean together."""
    return -0.5 * (z @ z) - 0.5 * (jnp.sum(z) ** 2) / z.shape[0], 0.0


def sizes(jaxpr: Any) -> set[int]:
    """The sizes of all arrays a program makes, those inside of its loops and calls too."""
    found = {int(np.prod(var.aval.shape)) for eqn in jaxpr.eqns for var in eqn.outvars}
    for eqn in jaxpr.eqns:
        for part in jax.tree.leaves(list(eqn.params.values())):
            inner = getattr(part, "jaxpr", part)
            found |= sizes(inner) if hasattr(inner, "eqns") else set()
    return found


@pytest.mark.parametrize("way", [total, path])
def test_no_array_of_a_step_is_larger_than_dim_by_rank(way: Any) -> None:
    """Nor twice that: at 10 000 dimensions a square one would be 5000 times as large."""
    target = taut.Target(normal, Space.of({"z": (LARGE,)}))
    advi = taut.LowRankADVI(rank=5, model=target, random_seed=1)
    objective = ELBO(2, estimator=way)

    def gradient(q: Any, key: Any) -> Any:
        noise = objective.noise(q, key)
        return jax.grad(lambda q: objective.loss(q, target, (), noise))(q)

    with target.precision():
        jaxpr = jax.make_jaxpr(gradient)(advi.approx.family, jax.random.key(0))
    # Two draws at once, of dim + rank numbers or of dim x rank.
    assert LARGE * 5 <= max(sizes(jaxpr.jaxpr)) <= 2 * LARGE * 5


def test_the_search_for_large_arrays_finds_one() -> None:
    jaxpr = jax.make_jaxpr(jax.jit(lambda x: jnp.sum(x[:, None] * x)))(jnp.ones(100))
    assert max(sizes(jaxpr.jaxpr)) == 10_000


def test_a_fit_at_10_000_dimensions_lowers_the_loss() -> None:
    """The loss of a step has a standard deviation of 100; it falls by thousands."""
    target = taut.Target(normal, Space.of({"z": (LARGE,)}))
    advi = taut.LowRankADVI(
        rank=3, model=target, random_seed=1, gradient="path",
        start={"z": np.full(LARGE, 0.7)},
    )  # fmt: skip
    hist = advi.fit(150, progressbar=False, obj_optimizer=taut.adam(0.02)).hist
    assert hist[-20:].mean() < hist[:20].mean() - 1000


def test_rank_is_what_one_asks_for_and_small_by_default() -> None:
    for dim, rank, found in ((9, None, 3), (10_000, None, 20), (9, 2, 2), (9, 50, 9)):
        target = taut.Target(normal, Space.of({"z": (dim,)}))
        family = taut.LowRankADVI(rank, model=target).approx.family
        assert isinstance(family, LowRank)
        assert family.factor.shape == (dim, found)


@pytest.mark.parametrize("rank", [0, -1, 1.5, True, "2"])
def test_a_rank_that_makes_no_sense_is_refused(rank: Any) -> None:
    with pytest.raises(ArgumentError, match="rank"):
        taut.LowRankADVI(rank, model=taut.Target(normal, Space.of({"z": (3,)})))
