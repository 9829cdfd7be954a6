"""The globals by the first batch of groups: paths, curvature, nodes, and latents from elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

from taut.diagnose import Finding, criteria
from taut.errors import NotFiniteError
from taut.gaussian import DenseNormal
from taut.marginal import BatchedMarginal, PlateField
from taut.method.batched_fit import Reached, Vector, newton, points_around
from taut.method.problem import Problem
from taut.modes import counts, descend

Function = Callable[[Vector], tuple[float, Vector]]

# Paths that are followed, and standard deviations from the mode within which they end at it.
_PATHS, _THERE = 4, 1.0
# The step of the first differences of gradients, in the unconstrained space.
_STEP = 2e-4
# Share of a bound up to which what twice the nodes move is left to the pass over all rows.
_LITTLE = 0.5
# Standard deviations from their modes at which latents are sought again.
_FAR = 6.0


@final
@dataclass(frozen=True)
class First:
    """What the first batch tells.

    Parameters
    ----------
    reached
        The Gaussian of the globals by its groups alone.
    agree, paths, others
        Paths that ended there, all, and those that ended elsewhere and not much lower.
    """

    reached: Reached
    agree: int
    paths: int
    others: int


def first_of(
    problem: Problem,
    marginal: BatchedMarginal,
    field: PlateField,
    groups: int,
    random: np.random.Generator,
) -> First:
    """Follow paths to the mode of the globals given one batch, and find the curvature there.

    Parameters
    ----------
    problem
        What is fitted.
    marginal
        The density.
    field
        Of the batch.
    groups
        How many it has.
    random
        Decides starts.

    Raises
    ------
    NotFiniteError
        The density is not finite where paths begin, or around the best of their ends.
    """

    def function(theta: Vector) -> tuple[float, Vector]:
        value, slope = marginal.outer(theta)
        found = marginal.at(field, theta, with_slope=True).marginal
        return -value - float(found.value), -slope - np.asarray(found.slope, float)

    ends = []
    for start in problem.starts.first(random)[:_PATHS]:
        value, slope = function(start)
        if np.isfinite(value) and np.isfinite(slope).all():
            *_, end = descend(function, start, random)
            ends.append(end)
    if not ends:
        raise NotFiniteError("The density with latents integrated out is not finite at any start.")
    best = min(ends, key=lambda end: end.value)
    normal = _curved(function, best.z)
    away = [np.abs((end.z - normal.mean) / normal.std).max() for end in ends]
    elsewhere = [
        end for end, far in zip(ends, away, strict=True)
        if far >= _THERE and counts(-end.value, -best.value)
    ]  # fmt: skip
    agree = sum(far < _THERE for far in away)
    return First(Reached(normal, groups), int(agree), len(ends), len(elsewhere))


def _curved(function: Function, theta: Vector) -> DenseNormal:
    """Find the curvature by small steps, and then in standard deviations."""
    normal = DenseNormal(theta, _STEP * np.eye(len(theta)))
    for _ in range(2):
        points = points_around(normal.mean, normal.root)
        slopes = np.array([-function(point)[1] for point in points])
        normal, _ = newton(normal.mean, normal.root, slopes)
    return normal


def enough_nodes(
    marginal: BatchedMarginal, field: PlateField, reached: Reached, groups: int
) -> None:
    """Double the nodes until twice as many move little, of all groups, as one batch tells.

    Parameters
    ----------
    marginal
        The density, whose nodes are doubled.
    field
        Of the batch.
    reached
        The Gaussian by this batch.
    groups
        How many there are in all.
    """
    if marginal.is_normal:
        return
    times = groups / reached.groups
    normal = DenseNormal(reached.normal.mean, reached.normal.root / np.sqrt(times))
    while True:
        points = points_at_sides(normal)
        more = [
            float(marginal.at(field, one, doubled=True).marginal.value)
            - float(marginal.at(field, one).marginal.value)
            for one in points
        ]
        moved = moved_by_nodes(normal, times * np.array(more))
        bounds = criteria.CRITERIA
        worst = max(moved[0].max() / bounds.mean_shift, moved[1].max() / bounds.log_sd_shift)
        if worst < _LITTLE or not marginal.refine():
            return


def points_at_sides(normal: DenseNormal) -> np.ndarray:
    """Return the mean, and what is one standard deviation to either side along each direction."""
    return np.concatenate(
        [normal.mean[None], normal.mean + normal.root.T, normal.mean - normal.root.T]
    )


def moved_by_nodes(normal: DenseNormal, more: np.ndarray) -> tuple[Vector, Vector]:
    """Return how far means and log sds move with what is added to the density at those points."""
    m = len(normal.mean)
    above, below = more[1 : 1 + m], more[1 + m :]
    mean = normal.root @ (0.5 * (above - below)) / normal.std
    spread = normal.root**2 @ (0.5 * (above + below - 2.0 * more[0])) / normal.std**2
    return np.abs(mean), np.abs(spread)


def by_starts(
    marginal: BatchedMarginal, field: PlateField, theta: Vector, random: np.random.Generator
) -> Finding:
    """Search the latents' modes of one batch from far away, and from their mirror image."""
    found = marginal.at(field, theta)
    mean = np.asarray(found.mean, float)
    std = np.sqrt(np.diagonal(np.asarray(found.covariance, float), axis1=1, axis2=2).ravel())
    start = marginal.model.begin(field.groups.shape[0])
    noise = random.normal(size=(2, len(mean)))
    starts = (2.0 * start - mean, mean + _FAR * noise[0] * std, mean + noise[1])
    shift = 0.0
    for begin in starts:
        begin = begin.astype(marginal.target.dtype)
        other = np.asarray(marginal.at(field, theta, begin=begin).mean, float)
        away = np.abs(other - mean) / std
        shift = max(shift, float(np.where(np.isfinite(away), away, np.inf).max()))
    bound = criteria.CRITERIA.mean_shift
    words = (
        "the search for latents from elsewhere, of the first batch, ends "
        f"{shift:.2f} sd away (bound {bound:.2f})"
    )
    return Finding("mean_shift", shift <= bound, words)
