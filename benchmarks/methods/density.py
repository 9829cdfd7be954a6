"""The log density that JAX libraries without models of their own are given: taut's front end's."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pymc as pm
from jax import Array

from benchmarks.methods.base import named
from benchmarks.posteriors.base import Draws
from taut.frontend import as_target

# Draws that are evaluated at once; all of them would not fit in memory on many rows.
_AT_ONCE = 16


class Density:
    """A model as a function of one flat unconstrained vector.

    Parameters
    ----------
    model
        Whose density it is.
    """

    def __init__(self, model: pm.Model) -> None:
        self.model = model
        self.target = as_target(model)
        self.dim = self.target.dim

    def __call__(self, z: Array) -> Array:
        """Evaluate the log joint density, log Jacobian included."""
        return self.target.log_density(z)

    @property
    def start(self) -> np.ndarray:
        """The model's initial point."""
        return np.asarray(self.target.space.ravel(self.model.initial_point()), float)

    def constrain(self, z: Any) -> Draws:
        """Map the rows of a matrix to the free variables."""
        return named(self.model, _by_rows(self.target.constrain, z))

    def log_weights(self, z: Any, log_q: Any) -> np.ndarray:
        """Compute ``log p(y, z) - log q(z)`` at the rows of a matrix."""
        return np.asarray(_by_rows(self.target.log_density, z)) - np.asarray(log_q)


def gaussian_log_weights(
    model: pm.Model, loc: dict[str, np.ndarray], chol: np.ndarray, order: list[str]
) -> np.ndarray:
    """Draw from a Gaussian on the unconstrained space, and weigh the draws.

    Parameters
    ----------
    model
        Its log density is weighed against.
    loc
        The Gaussian's mean, by value variable.
    chol
        Cholesky factor of its covariance, or its standard deviations.
    order
        The value variables in the order of the rows of `chol`.
    """
    density = Density(model)
    flat = np.concatenate([np.ravel(loc[name]) for name in order])
    noise = np.random.default_rng(0).normal(size=(1000, len(flat)))
    scale = np.diag(chol) if chol.ndim == 2 else chol
    drawn = flat + (noise @ chol.T if chol.ndim == 2 else noise * chol)
    log_q = -0.5 * (noise**2 + np.log(2 * np.pi)).sum(axis=1) - np.log(np.abs(scale)).sum()
    ends = np.cumsum([np.size(loc[name]) for name in order])[:-1]
    parts = dict(zip(order, np.split(drawn, ends, axis=1), strict=True))
    by_slot = [parts[slot.name] for slot in density.target.space.slots]
    return density.log_weights(np.concatenate(by_slot, axis=1), log_q)


def _by_rows(function: Callable[[Array], Any], z: Any) -> Any:
    mapped = jax.jit(lambda rows: jax.lax.map(lambda one: function(one), rows, batch_size=_AT_ONCE))
    return jax.tree.map(np.asarray, mapped(np.asarray(z, float)))
