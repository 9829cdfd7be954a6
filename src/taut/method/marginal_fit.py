"""Gaussians of globals, and of latents given these."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from taut.elimination import AbstractElimination
from taut.family import AbstractFamily, Structured
from taut.gaussian import DenseNormal
from taut.marginal import Integrand, Value
from taut.method.problem import Iterate, Problem

Vector = Float[np.ndarray, " globals"]
Latents = Float[np.ndarray, " latents"]
Draws = Float[np.ndarray, "draws globals"]


@final
@dataclass(frozen=True, eq=False)
class MarginalFit:
    """A Gaussian of the global unknowns, and of the latents given these.

    Parameters
    ----------
    normal
        Of the global unknowns.
    origin, center, slope
        The latents' mean is linear in them.
    variances, precision
        Of the latents given the global unknowns.
    """

    normal: DenseNormal
    origin: Vector
    center: Latents
    slope: Float[np.ndarray, "latents globals"]
    variances: Latents
    precision: AbstractElimination

    def middle(self, theta: Draws) -> Float[np.ndarray, "draws latents"]:
        """Return the latents' means at points."""
        return self.center + (theta - self.origin) @ self.slope.T


def counted(problem: Problem, integrand: Integrand, theta: Vector) -> Value:
    """Evaluate the marginal density, counted as a gradient."""
    problem.gradients.check_time()
    problem.gradients.add(1)
    return integrand(theta)


def iterate(
    integrand: Integrand, fit: MarginalFit, loss: float, outer: AbstractFamily | None = None
) -> Iterate:
    """Return the family of all unknowns."""
    structure, dtype = integrand.structure, integrand.target.dtype
    assert structure.latents is not None
    family = Structured(
        fit.normal.family(dtype) if outer is None else outer,
        fit.origin.astype(dtype),
        fit.center.astype(dtype),
        fit.slope.astype(dtype),
        fit.precision,
        structure.globals.astype(np.int32),
        structure.latents.places.astype(np.int32),
        integrand.is_summed,
    )
    return Iterate(family, loss)
