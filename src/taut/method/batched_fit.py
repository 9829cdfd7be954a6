"""A fit of globals whose latents are integrated out in batches of groups: what its stages share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Float

from taut.errors import NotFiniteError
from taut.gaussian import DenseNormal
from taut.marginal import BatchedMarginal
from taut.method.problem import Iterate, Problem
from taut.modes import scaled_eigen

Vector = Float[np.ndarray, " globals"]
Square = Float[np.ndarray, "globals globals"]

# Standard deviations over which gradients are compared.
WHITENED = 0.5
# Curvatures below this, in units in which the diagonal is 1, are noise.
_CLIP = 1e-8


@final
@dataclass(frozen=True, eq=False)
class Reached:
    """Where a fit stands.

    Parameters
    ----------
    normal
        The Gaussian of the globals.
    groups
        Groups that it knows of.
    """

    normal: DenseNormal
    groups: int

    def iterate(self, problem: Problem, loss: float = np.inf) -> Iterate:
        """Return it as a family."""
        return Iterate(self.normal.family(problem.gradients.target.dtype), loss)


def points_around(theta: Vector, root: Square) -> Float[np.ndarray, "points globals"]:
    """Return a point, and those a step to either side of it along each column of a root."""
    return np.concatenate([theta[None], theta + WHITENED * root.T, theta - WHITENED * root.T])


def newton(
    theta: Vector, root: Square, slopes: Float[np.ndarray, "points globals"]
) -> tuple[DenseNormal, float]:
    """Return the Gaussian that gradients at `points_around` tell of, and how far away its mean is.

    Parameters
    ----------
    theta, root
        The point, and the root.
    slopes
        The gradients.

    Returns
    -------
    tuple
        The Gaussian, and the distance in its standard deviations.

    Raises
    ------
    NotFiniteError
        A gradient is not finite.
    """
    if not np.isfinite(slopes).all():
        raise NotFiniteError("The gradient with latents integrated out is not finite at the mode.")
    m = len(theta)
    hessian = root.T @ (slopes[1 + m :] - slopes[1 : 1 + m]).T / (2.0 * WHITENED)
    values, vectors, scale = scaled_eigen(0.5 * (hessian + hessian.T))
    inner = vectors / np.sqrt(np.maximum(values, _CLIP)) / scale[:, None]
    whole = root @ inner
    step = whole.T @ slopes[0]
    return DenseNormal(theta + whole @ step, whole), float(np.linalg.norm(step))


@contextmanager
def counting(problem: Problem, marginal: BatchedMarginal) -> Iterator[Any]:
    """Let what a marginal density evaluates count as gradients of a problem."""
    before = marginal.evaluations
    try:
        yield
    finally:
        problem.gradients.add(marginal.evaluations - before)
