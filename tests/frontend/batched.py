"""The density of a model on the batches of an epoch, as a fit reads it."""

import math
from typing import Any

import jax
import numpy as np
import pymc as pm

from taut.frontend.pymc import PyMCSource
from taut.target import Batching, StepData


def stepping(model: pm.Model, seed: int = 1, **arguments: Any) -> StepData:
    """What the steps of a fit with these arguments read."""
    source = PyMCSource(model)
    start = source.start(None, 0)
    return source.stepping(source.target(), Batching(**arguments), start, seed)


def epoch(steps: StepData, first: int = 0) -> list[Any]:
    """The batches of the shortest run of steps that is an epoch for each group of rows."""
    batches, served = steps.feed.at(first)
    length = math.lcm(*(circle.partition.batches for circle in batches.circles))
    assert served >= length
    with steps.target.precision():
        draw = jax.jit(lambda key, step: batches.draw(key, step))
        return [draw(jax.random.key(i), np.int32(first + i)) for i in range(length)]


def density(target: Any) -> Any:
    """The log density and its gradient as a compiled function of a point and a batch."""
    return jax.jit(jax.value_and_grad(lambda z, batch: target.log_density(z, batch)))


def value_and_gradient(target: Any, z: np.ndarray, batch: Any = None) -> np.ndarray:
    """Log density and its gradient, joined."""
    with target.precision():
        value, gradient = density(target)(z, batch)
        return np.array([value, *gradient])


def mean_over_epoch(steps: StepData, z: np.ndarray, first: int = 0) -> np.ndarray:
    """The average of `value_and_gradient` over an epoch."""
    with steps.target.precision():
        both = density(steps.target)
        found = [both(z, batch) for batch in epoch(steps, first)]
        return np.mean([np.array([value, *gradient]) for value, gradient in found], axis=0)
