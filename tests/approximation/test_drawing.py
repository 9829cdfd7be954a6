"""Draws that NumPy makes are those of the family's own formula."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from taut.approximation.drawing import by_blocks, push_on_host
from taut.family import AbstractFamily, FullRank, LowRank, MeanField, Particles

RANDOM = np.random.default_rng(3)
DIM, DRAWS = 4, 7
FACTOR = RANDOM.normal(size=(DIM, DIM))
FACTOR[0, 0] = 40.0
MEAN, RHO = RANDOM.normal(size=DIM), np.array([-30.0, -1.0, 0.5, 40.0])
NORMAL = RANDOM.normal(size=(DRAWS, DIM))
MADE: dict[str, tuple[Callable[[Any], AbstractFamily], np.ndarray]] = {
    "full_rank": (lambda t: FullRank(MEAN.astype(t), FACTOR.astype(t)), NORMAL),
    "mean_field": (lambda t: MeanField(MEAN.astype(t), RHO.astype(t)), NORMAL),
    "particles": (lambda t: Particles(FACTOR.astype(t)), RANDOM.integers(DIM, size=DRAWS)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", MADE)
def test_numpy_pushes_as_the_family_does(name: str, dtype: str) -> None:
    """To some units in the last place: sums of four terms in another order."""
    make, noise = MADE[name]
    noise = noise.astype(dtype) if noise.dtype.kind == "f" else noise
    push = push_on_host(make(dtype))
    assert push is not None
    z, log_q = push(noise)
    with jax.enable_x64(dtype == "float64"):
        expected_z, expected_log_q = jax.vmap(make(dtype).push)(noise)
    assert z.dtype == log_q.dtype == dtype
    near = {"rtol": 20 * np.finfo(dtype).eps, "atol": 20 * np.finfo(dtype).eps}
    np.testing.assert_allclose(z, expected_z, **near)
    np.testing.assert_allclose(log_q, expected_log_q, **near)


def test_other_families_are_left_to_xla() -> None:
    assert push_on_host(LowRank.at(MEAN, np.ones(DIM))) is None


@pytest.mark.parametrize("rows", [1, 3, 4, 8, 9])
def test_blocks_are_full_and_none_of_the_filling_comes_back(rows: int) -> None:
    shapes = set()

    def twice(block: np.ndarray) -> dict[str, np.ndarray]:
        shapes.add(block.shape)
        return {"twice": 2 * block}

    z = np.arange(2.0 * rows).reshape(rows, 2)
    np.testing.assert_array_equal(by_blocks(twice, z, 4)["twice"], 2 * z)
    assert shapes == {(4, 2)}
