"""Models of any size, each with its log density written by hand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
import pymc as pm
from jax import Array

_SEED = 20_263
_COLUMNS = 10
_NOISE = 0.5

Data = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Problem:
    """One model at one size.

    Parameters
    ----------
    name, dim, rows
        What it is, the elements of the unconstrained vector, and the rows of the data.
    model
        Makes it in PyMC.
    log_density
        ``log_density(z, data)``, up to a constant, as one would write it in JAX.
    data
        Arrays for it.
    """

    name: str
    dim: int
    rows: int
    model: Callable[[], pm.Model]
    log_density: Callable[[Array, Any], Array]
    data: Data


def means(dim: int) -> Problem:
    """As many means as rows: cost grows with the parameters."""
    y = np.random.default_rng(_SEED).normal(size=dim)

    def model() -> pm.Model:
        with pm.Model() as made:
            mu = pm.Normal("mu", 0.0, 1.0, shape=dim)
            pm.Normal("y", mu, _NOISE, observed=y)
        return made

    def log_density(z: Array, data: Any) -> Array:
        return -0.5 * jnp.sum(z**2) - 0.5 * jnp.sum(((data["y"] - z) / _NOISE) ** 2)

    return Problem(f"means, {dim:,d}", dim, dim, model, log_density, {"y": y})


def location_scale(rows: int) -> Problem:
    """Mean and spread of one column: cost grows with the rows."""
    y = 1.0 + 2.0 * np.random.default_rng(_SEED).normal(size=rows)

    def model() -> pm.Model:
        with pm.Model() as made:
            mu = pm.Normal("mu", 0.0, 10.0)
            sigma = pm.HalfNormal("sigma", 5.0)
            pm.Normal("y", mu, sigma, observed=y)
        return made

    def log_density(z: Array, data: Any) -> Array:
        mu, sigma = z[0], jnp.exp(z[1])
        prior = -0.5 * (mu / 10.0) ** 2 - 0.5 * (sigma / 5.0) ** 2 + z[1]
        return prior - rows * z[1] - 0.5 * jnp.sum(((data["y"] - mu) / sigma) ** 2)

    return Problem(f"location and scale, {rows:,d} rows", 2, rows, model, log_density, {"y": y})


def regression(rows: int) -> Problem:
    """Ten columns: cost grows with the elements of a matrix."""
    rng = np.random.default_rng(_SEED)
    x = rng.normal(size=(rows, _COLUMNS))
    y = x @ rng.normal(size=_COLUMNS) + rng.normal(size=rows)

    def model() -> pm.Model:
        with pm.Model() as made:
            b = pm.Normal("b", 0.0, 1.0, shape=_COLUMNS)
            pm.Normal("y", pm.math.dot(x, b), 1.0, observed=y)
        return made

    def log_density(z: Array, data: Any) -> Array:
        return -0.5 * jnp.sum(z**2) - 0.5 * jnp.sum((data["y"] - data["x"] @ z) ** 2)

    name = f"regression, {rows:,d} x {_COLUMNS}"
    return Problem(name, _COLUMNS, rows, model, log_density, {"x": x, "y": y})


PROBLEMS: tuple[Callable[[], Problem], ...] = (
    *(lambda dim=dim: means(dim) for dim in (2, 100, 1000, 10_000)),
    *(lambda rows=rows: location_scale(rows) for rows in (10, 1000, 100_000, 1_000_000)),
    *(lambda rows=rows: regression(rows) for rows in (1000, 100_000, 1_000_000)),
)
