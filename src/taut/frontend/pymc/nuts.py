"""What the samplers of PyMC and nutpie take from a fit."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from jaxtyping import Float
from pymc.initial_point import make_initial_point_fn
from pymc.step_methods.hmc.quadpotential import (
    QuadPotential,
    QuadPotentialDiagAdapt,
    QuadPotentialFullAdapt,
)

from taut.errors import unwarned
from taut.target import Space

# A fit counts as so many draws of the warm-up, and in many dimensions as one for each.
_WEIGHT = 50
# Draws from one Cholesky factor of the adapted matrix to the next.
_REFACTOR = 10


def free_values(model: Any, draws: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Choose the free variables from draws of all, in their own space."""
    return {rv.name: np.asarray(draws[rv.name]) for rv in model.free_RVs}


def as_pymc_starts(
    model: Any, values: Mapping[str, np.ndarray], space: Space
) -> Float[np.ndarray, "draws dim"]:
    """Evaluate where PyMC starts, in the unconstrained space, when given each of some draws.

    It transforms them back, and what was rounded to a bound comes out as infinite.
    """
    number = pytensor.shared(0)
    function = make_initial_point_fn(model=model, overrides=_row(values, number))
    starts = []
    for i in range(len(next(iter(values.values())))):
        number.set_value(i)
        with np.errstate(all="ignore"):
            starts.append(space.ravel(function(0)))
    return np.array(starts)


def random_start(values: Mapping[str, np.ndarray]) -> dict[Any, Any]:
    """Make expressions for one of some draws, the same draw for all variables."""
    count = len(next(iter(values.values())))
    return _row(values, pm.DiscreteUniform.dist(0, count - 1))


def nuts_step(
    model: Any, mean: np.ndarray, std: np.ndarray, cov: np.ndarray | None, nuts: Mapping[str, Any]
) -> Any:
    """Make PyMC's NUTS with a mass matrix that the warm-up adapts further.

    Parameters
    ----------
    model
        The model.
    mean, std, cov
        Moments of the unconstrained vector; without a covariance the matrix is diagonal.
    nuts
        More arguments of `pymc.NUTS`.
    """
    potential = _diagonal(mean, std) if cov is None else _dense(mean, cov)
    return pm.NUTS(**{"model": model, "potential": potential, **nuts})


def _row(values: Mapping[str, np.ndarray], number: Any) -> dict[Any, Any]:
    return {name: pt.as_tensor(array)[number] for name, array in values.items()}


def _diagonal(mean: np.ndarray, std: np.ndarray) -> QuadPotential:
    return QuadPotentialDiagAdapt(len(mean), mean, std**2, _WEIGHT)


def _dense(mean: np.ndarray, cov: np.ndarray) -> QuadPotential:
    dim = len(mean)
    # After a window only its own draws count, which must be more than there are dimensions.
    with unwarned("QuadPotentialFullAdapt is an experimental"):
        return QuadPotentialFullAdapt(
            dim, mean, cov, max(_WEIGHT, dim), max(101, 10 * dim), update_window=_REFACTOR
        )
