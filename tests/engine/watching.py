"""What tests of compiled programs share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pymc as pm

import taut
from cases import regression

# Recorded by JAX for each program that XLA is asked for, whether it comes from disk or not.
COMPILED = "/jax/core/compile/backend_compile_duration"
HIT = "/jax/compilation_cache/cache_hits"


@contextmanager
def compilations() -> Iterator[list[str]]:
    """Collect the names of the programs that are compiled inside, as JAX itself counts them."""
    names: list[str] = []

    def listen(event: str, duration: float, **more: Any) -> None:
        if event == COMPILED:
            names.append(str(more.get("fun_name")))

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield names
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


@contextmanager
def hits() -> Iterator[list[str]]:
    """Collect one entry for each program that is read from a persistent cache inside."""
    found: list[str] = []

    def listen(event: str, **more: Any) -> None:
        if event == HIT:
            found.append(event)

    jax.monitoring.register_event_listener(listen)
    try:
        yield found
    finally:
        jax.monitoring.unregister_event_listener(listen)


def fit(
    model: Any, n: int = 100, rate: float = 0.1, seed: int = 1, **how: Any
) -> taut.Approximation:
    """A fit with a seed."""
    optimizer = taut.adam(learning_rate=rate)
    return taut.fit(
        n, model=model, random_seed=seed, obj_optimizer=optimizer, progressbar=False, **how
    )


def make_model() -> pm.Model:
    """A model with data, dims and coordinates."""
    rng = np.random.default_rng(0)
    with pm.Model(coords={"row": np.arange(100), "column": list("abc")}) as model:
        x = pm.Data("x", rng.normal(size=(100, 3)), dims=("row", "column"))
        observed = pm.Data("observed", rng.normal(size=100), dims="row")
        slope = pm.Normal("slope", dims="column")
        sigma = pm.HalfNormal("sigma")
        pm.Normal("y", x @ slope, sigma, observed=observed, dims="row")
    return model


def new_target() -> taut.Target:
    """A target without programs, whose programs are those of every other one made here."""
    return regression(2).target()


def scaled(by: int, x: Any) -> Any:
    """A function with an argument that shapes its program, and one that does not."""
    return jnp.arange(by).sum() * x
