"""blackjax's variational methods, on the log density of taut's front end."""

import itertools
from collections.abc import Callable
from importlib import import_module
from typing import Any

import jax
import numpy as np
import pymc as pm

from benchmarks.methods.base import DRAWS, Fitted, Method

# blackjax has neither a default optimizer nor a default number of steps.
_STEPS = 2000
_LEARNING_RATE = 1e-2
_DRAWS_A_STEP = 100


def _pathfinder(model: pm.Model, seed: int) -> Fitted:
    from blackjax.vi import pathfinder

    from benchmarks.methods.density import Density

    density, gradients = Density(model), itertools.count()
    counted = _counted(density, lambda: next(gradients))
    fit_key, draw_key = jax.random.split(jax.random.key(seed))
    approximate = jax.jit(lambda key, start: pathfinder.approximate(key, counted, start)[0])
    state = approximate(fit_key, density.start)
    z, log_q = pathfinder.sample(draw_key, state, DRAWS)
    draws = density.constrain(z)
    jax.effects_barrier()
    return Fitted(draws, next(gradients), lambda: density.log_weights(z, log_q))


def _counted(density: Callable[[Any], Any], count: Callable[[], object]) -> Callable[[Any], Any]:
    """Call `count` at each gradient that a compiled program takes."""

    def forward(z: Any) -> tuple[Any, Any]:
        jax.debug.callback(lambda _: count(), z[0])
        return jax.vjp(density, z)

    counted = jax.custom_vjp(density)
    counted.defvjp(forward, lambda pull, slope: pull(slope))
    return counted


def _meanfield(model: pm.Model, seed: int) -> Fitted:
    import blackjax
    import optax

    from benchmarks.methods.density import Density

    density = Density(model)
    algorithm = blackjax.meanfield_vi(density, optax.adam(_LEARNING_RATE), _DRAWS_A_STEP)

    def step(state: Any, key: Any) -> tuple[Any, None]:
        return algorithm.step(key, state)[0], None

    fit_key, draw_key = jax.random.split(jax.random.key(seed))
    run = jax.jit(lambda state, keys: jax.lax.scan(step, state, keys)[0])
    state = run(algorithm.init(density.start), jax.random.split(fit_key, _STEPS))
    z = algorithm.sample(draw_key, state, DRAWS)

    def log_weights() -> np.ndarray:
        normal = jax.scipy.stats.norm.logpdf(z, state.mu, jax.numpy.exp(state.rho))
        return density.log_weights(z, normal.sum(axis=1))

    return Fitted(density.constrain(z), _STEPS * _DRAWS_A_STEP, log_weights)


def _load() -> object:
    jax.config.update("jax_enable_x64", True)
    import_module("benchmarks.methods.density")
    import_module("optax")
    return import_module("blackjax")


METHODS = (
    Method("blackjax-pathfinder", "30 iterations, 200 draws", _load, _pathfinder),
    Method("blackjax-meanfield_vi", "2 000 steps, 100 draws a step, Adam(1e-2)", _load, _meanfield),
)
