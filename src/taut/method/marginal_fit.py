"""Gaussians of globals, and of latents given these."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import batched
from typing import Any, final

import jax
import numpy as np
from jaxtyping import Float

from taut.elimination import AbstractElimination
from taut.family import (
    AbstractConditional,
    AbstractFamily,
    InterpolatedConditional,
    LinearConditional,
    MeanField,
    Structured,
)
from taut.gaussian import DenseNormal
from taut.marginal import Integrand, Value
from taut.method.problem import Iterate, Problem

Vector = Float[np.ndarray, " globals"]
Latents = Float[np.ndarray, " latents"]
Draws = Float[np.ndarray, "draws globals"]

# Standard deviation of what there was no time to fit.
_ROUGH = 0.1


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
        Of the latents given the global unknowns, but for `scale`.
    scale
        By how much each latent is wider.
    """

    normal: DenseNormal
    origin: Vector
    center: Latents
    slope: Float[np.ndarray, "latents globals"]
    variances: Latents
    precision: AbstractElimination
    scale: Latents

    @property
    def own(self) -> Latents:
        """Variances of the latents given the global unknowns."""
        return self.variances * self.scale**2

    @property
    def of_globals(self) -> Latents:
        """Variances of the latents' means, as they move with the global unknowns."""
        return ((self.slope @ self.normal.root) ** 2).sum(axis=1)

    def middle(self, theta: Draws) -> Float[np.ndarray, "draws latents"]:
        """Return the latents' means at points."""
        return self.center + (theta - self.origin) @ self.slope.T


def counted(problem: Problem, integrand: Integrand, theta: Vector, **how: Any) -> Value:
    """Evaluate the marginal density, counted as a gradient; further arguments are `Integrand`'s."""
    problem.gradients.check_time()
    problem.gradients.add(1)
    return integrand(theta, **how)


def counted_values(problem: Problem, integrand: Integrand, thetas: Iterable[Vector]) -> list[Value]:
    """Evaluate it without its gradient at several points, as many at once as there are devices."""
    found: list[Value] = []
    for some in batched(thetas, integrand.at_once):
        problem.gradients.check_time()
        problem.gradients.add(len(some))
        found += integrand.values_at(some)
    return found


def rough(problem: Problem, integrand: Integrand) -> Iterate:
    """Return a small Gaussian around the start, where there was no time for more."""
    start = problem.start.astype(integrand.target.dtype)
    return Iterate(MeanField.at(start, np.full_like(start, _ROUGH)), np.inf)


def iterate(
    integrand: Integrand,
    fit: MarginalFit,
    loss: float,
    outer: AbstractFamily | None = None,
    given: InterpolatedConditional | None = None,
) -> Iterate:
    """Return the family of all unknowns.

    Parameters
    ----------
    integrand
        Knows the latents.
    fit
        Gaussians of globals and latents.
    loss
        In nats.
    outer, given
        What takes the place of the Gaussian of the globals, and of the lines on which latents are.
    """
    structure, dtype = integrand.structure, integrand.target.dtype
    assert structure.latents is not None
    linear = LinearConditional(fit.origin, fit.center, fit.slope, fit.scale)
    family = Structured(
        fit.normal.family(dtype) if outer is None else outer,
        _cast(linear if given is None else given, dtype),
        fit.precision,
        structure.globals.astype(np.int32),
        structure.latents.places.astype(np.int32),
        integrand.is_summed,
    )
    return Iterate(family, loss)


def _cast(conditional: AbstractConditional, dtype: np.dtype) -> AbstractConditional:
    return jax.tree.map(lambda each: each.astype(dtype), conditional)
