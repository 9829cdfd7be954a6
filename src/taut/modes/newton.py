"""The way up to a mode: quasi-Newton far from it, Newton's method near it."""

from collections.abc import Callable, Generator
from typing import NamedTuple

import numpy as np
import scipy
from jaxtyping import Float

from taut.gradients import OutOfTime

Vector = Float[np.ndarray, " dim"]
Function = Callable[[Vector], tuple[float, Vector]]
# Quasi-Newton iterations between two looks from outside.
CHUNK = 25
# How often the search is begun anew from a point beside the best when it fails.
_RESTARTS = 5
# What stands for a value that is not finite, above the best value: line searches step back.
_WALL = 1e10


class Evaluated(NamedTuple):
    """A point and the function there."""

    z: Vector
    value: float


def descend(
    function: Function, start: Vector, random: np.random.Generator, tolerance: float = 1e-8
) -> Generator[Evaluated, None, bool]:
    """Minimise by L-BFGS-B; give the best point every few iterations, return whether it converged.

    Points where value or gradient are not finite are walls. After a failed line search it begins
    anew from a point beside the best. Where there is no time left the best is what comes last.

    Parameters
    ----------
    function
        Gives value and gradient.
    start
        Where to begin; the function has to be finite there.
    random
        Decides the points beside.
    tolerance
        Relative decrease of the value at which it has converged.
    """
    best, failures = Evaluated(start, function(start)[0]), 0
    begin = start
    while True:
        seen = _Seen(function, best)
        options = {"maxiter": CHUNK, "maxcor": 20, "ftol": tolerance, "gtol": 1e-8}
        try:
            found = scipy.optimize.minimize(
                seen, begin, jac=True, method="L-BFGS-B", options={**options, "maxls": 40}
            )
        except OutOfTime:
            yield seen.best
            raise
        gained, best = seen.best.value < best.value, seen.best
        begin = best.z
        yield best
        if found.status == 0:
            return True
        if found.status == 2 or not gained:
            failures += 1
            if failures > _RESTARTS:
                return False
            begin = best.z + 1e-2 * failures * random.standard_normal(len(start))


class _Seen:
    """A function that remembers its best point, and is a wall where it is not finite."""

    def __init__(self, function: Function, best: Evaluated) -> None:
        self.function, self.best = function, best

    def __call__(self, z: Vector) -> tuple[float, Vector]:
        value, slope = self.function(z)
        if not np.isfinite(value) or not np.isfinite(slope).all():
            return self.best.value + _WALL, z - self.best.z
        if value < self.best.value:
            self.best = Evaluated(z.copy(), value)
        return value, slope


def newton_step(
    function: Function, hessian: Float[np.ndarray, "dim dim"], at: Evaluated
) -> tuple[Evaluated, float]:
    r"""Take a step of Newton's method, downhill where the function is not convex.

    Parameters
    ----------
    function
        Gives value and gradient.
    hessian
        Of the function, at the point.
    at
        The point.

    Returns
    -------
    tuple
        The next point, and :math:`\frac12 g^\top |H|^{-1} g`, the decrease a quadratic would have.
    """
    slope = function(at.z)[1]
    values, vectors, scale = scaled_eigen(hessian)
    size = np.maximum(np.abs(values), 1e-12)
    step = -vectors @ ((vectors.T @ (slope / scale)) / size) / scale
    decrease = -0.5 * float(slope @ step)
    for length in 0.5 ** np.arange(40):
        value, there = function(at.z + length * step)
        if np.isfinite(there).all() and value <= at.value - 1e-4 * length * decrease:
            return Evaluated(at.z + length * step, value), decrease
    return at, decrease


def scaled_eigen(
    hessian: Float[np.ndarray, "dim dim"],
) -> tuple[Vector, Float[np.ndarray, "dim dim"], Vector]:
    r"""Decompose a symmetric matrix in units in which its diagonal is 1 or -1.

    .. math:: H = D V \Lambda V^\top D, \quad D_{ii} = \sqrt{|H_{ii}|}

    Then neither the step nor the judgement of what is flat depends on the units of variables.
    Returns the eigenvalues, the vectors and the scale D.
    """
    scale = np.sqrt(np.abs(np.diag(hessian)))
    scale = np.where(scale > 0, scale, 1.0)
    values, vectors = scipy.linalg.eigh(hessian / np.outer(scale, scale))
    return values, vectors, scale
