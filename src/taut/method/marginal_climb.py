"""Paths to the mode of the globals, with latents integrated out, and what is around it."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from taut.errors import NotFiniteError
from taut.gaussian import DenseNormal
from taut.marginal import AbstractPoints, Integrand
from taut.method.marginal_fit import MarginalFit, Vector, counted
from taut.method.problem import Problem
from taut.modes import Evaluated, counts, descend, scaled_eigen

# Paths that are followed.
_PATHS = 4
# Standard deviations from the mode within which paths end at it.
_THERE = 1.0
# Steps of differences of gradients, in the unconstrained space and then in standard deviations.
_STEP, _WHITENED = 1e-4, 0.5
# Curvatures below this, in units in which the diagonal is 1, are noise.
_CLIP = 1e-8


@final
@dataclass(frozen=True, eq=False)
class Climbed:
    """What paths have found.

    Parameters
    ----------
    fit
        What is around the best mode.
    value
        The marginal log density there.
    agree, paths
        Paths that ended there, and those that ended anywhere.
    others
        Ends elsewhere that are not much lower.
    """

    fit: MarginalFit
    value: float
    agree: int
    paths: int
    others: int


def climb(
    problem: Problem,
    integrand: Integrand,
    points: AbstractPoints | None,
    random: np.random.Generator,
) -> Climbed:
    """Follow paths from several starts, and find the curvature where the best ended.

    Raises
    ------
    NotFiniteError
        The marginal density is not finite where paths begin, or around the best of their ends.
    """
    ends = _ends(problem, integrand, random)
    best = min(ends, key=lambda end: end.value)
    fit, value = _curved(problem, integrand, points, best.z)
    away = [np.abs((end.z - fit.normal.mean) / fit.normal.std).max() for end in ends]
    is_there = np.array(away) < _THERE
    others = sum(
        not there and counts(-end.value, -best.value)
        for end, there in zip(ends, is_there, strict=True)
    )
    return Climbed(fit, value, int(is_there.sum()), len(ends), others)


def _ends(problem: Problem, integrand: Integrand, random: np.random.Generator) -> list[Evaluated]:
    """Follow each path to its end; where there is no time left those that have ended count."""

    def function(theta: Vector) -> tuple[float, Vector]:
        found = counted(problem, integrand, theta)
        return -found.value, -found.slope

    ends: list[Evaluated] = []
    for start in problem.starts.first(random)[:_PATHS, integrand.structure.globals]:
        value, slope = function(start)
        if not np.isfinite(value) or not np.isfinite(slope).all():
            continue
        *_, end = descend(function, start, random)
        ends.append(end)
    if not ends:
        raise NotFiniteError("The density with latents integrated out is not finite at any start.")
    return ends


def _curved(
    problem: Problem, integrand: Integrand, points: AbstractPoints | None, theta: Vector
) -> tuple[MarginalFit, float]:
    """Find the curvature at the mode, by small steps and then in standard deviations."""
    root, slope = _STEP * np.eye(len(theta)), None
    for _ in range(2):
        inner, slope = _differences(problem, integrand, theta, root)
        middle = counted(problem, integrand, theta)
        whole = root @ inner
        theta = theta + whole @ (whole.T @ middle.slope)
        integrand.follow(theta, middle.mean, slope)
        root = _WHITENED * whole
    value = counted(problem, integrand, theta)
    given = integrand.given(theta) if points is None else points.nearest(theta, value.mean)
    assert slope is not None
    normal = DenseNormal(theta, root / _WHITENED)
    parts = given.mean, slope, given.variances, given.precision
    if not all(np.isfinite(one).all() for one in (value.value, normal.root, *parts[:3])):
        raise NotFiniteError("The density with latents integrated out is not finite at its mode.")
    return MarginalFit(normal, theta, *parts, np.ones(len(given.mean))), value.value


def _differences(
    problem: Problem, integrand: Integrand, theta: Vector, root: Float[np.ndarray, "m m"]
) -> tuple[Float[np.ndarray, "m m"], Float[np.ndarray, "latents m"]]:
    """Return a root of the covariance in the coordinates of a root, and how latents move.

    By differences of gradients, one step to either side along each column of the root.
    """
    hessian, moves = np.empty(root.shape), []
    for i, step in enumerate(root.T):
        above, below = (counted(problem, integrand, theta + s * step) for s in (1.0, -1.0))
        hessian[i] = 0.5 * root.T @ (below.slope - above.slope)
        moves.append(0.5 * (above.mean - below.mean))
    if not np.isfinite(hessian).all():
        raise NotFiniteError("The gradient with latents integrated out is not finite at the mode.")
    values, vectors, scale = scaled_eigen(0.5 * (hessian + hessian.T))
    inner = vectors / np.sqrt(np.maximum(values, _CLIP)) / scale[:, None]
    return inner, np.linalg.solve(root.T, np.array(moves)).T
