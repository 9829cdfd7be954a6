"""blackjax's variational methods, on the log density of taut's front end."""

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

    density = Density(model)
    fit_key, draw_key = jax.random.split(jax.random.key(seed))
    approximate = jax.jit(lambda key, start: pathfinder.approximate(key, density, start)[0])
    state = approximate(fit_key, density.start)
    z, log_q = pathfinder.sample(draw_key, state, DRAWS)
    return Fitted(density.constrain(z), None, lambda: density.log_weights(z, log_q))


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
