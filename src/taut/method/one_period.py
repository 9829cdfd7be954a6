"""Fits of models with circular variables, in one period of each.

The density of an angle goes on without an end, period after period. The automatic fit, and chains
that judge another, work in one period, cut where the density is lowest or jumps, and stretched to
the whole line; there it is a density like any other. What comes out is taken back to z.
"""

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from taut.chains import OnePeriod, Periods, periods_around
from taut.family import AbstractFamily, Mixture, Particles
from taut.gaussian import Normal, NormalMixture, as_normal
from taut.gradients import AbstractGradients
from taut.method.problem import Iterate, Problem
from taut.modes import Points, Prior, Starts, ascend

# Standard deviations up to which an angle spreads alike in z and x; there it is 0.55 radians.
_NARROW = 0.35
# Draws that stand for what is no Gaussian in z.
_DRAWS = 4000


def in_one_period(problem: Problem) -> tuple[Problem, Periods | None]:
    """Move a problem to the coordinates of one period of each circular element.

    Whatever is fitted in them lives in that period, and the images of a mode, a turn apart, are
    one.
    """
    if not problem.gradients.target.circular:
        return problem, None
    gradients = problem.gradients if problem.draft is None else problem.draft.gradients
    periods = choose_periods(gradients, problem.starts, problem.random)
    start = periods.whiten(problem.start[None])[0]
    return replace(
        problem,
        gradients=OnePeriod(problem.gradients, periods),
        start=start,
        starts=replace(problem.starts, point=start, prior=_inside(problem.starts, periods)),
        draft=problem.draft and problem.draft.moved(lambda inner: OnePeriod(inner, periods)),
    ), periods


def _inside(starts: Starts, periods: Periods) -> Prior:
    def prior(count: int, seed: int) -> Points | None:
        drawn = starts.prior(count, seed)
        return None if drawn is None else periods.whiten(drawn)

    return prior


def choose_periods(
    gradients: AbstractGradients, starts: Starts, random: np.random.Generator
) -> Periods:
    """Choose a period of each circular element by a first look at where the mode is."""
    first = periods_around(gradients, starts.point)
    around = first.whiten(starts.first(random))
    paths = [path for path in ascend(OnePeriod(gradients, first), around) if path]
    if not paths:
        return first
    top = max((path[-1] for path in paths), key=lambda point: point.value)
    return periods_around(gradients, first.push(top.position[None])[0][0])


def outside[R](
    steps: Generator[Iterate, None, R],
    periods: Periods | None,
    random: np.random.Generator,
) -> Generator[Iterate, None, R]:
    """Hand on what a fit in these coordinates reaches, as families of z."""
    while True:
        try:
            reached = next(steps)
        except StopIteration as stop:
            return stop.value
        if periods is not None:
            reached = replace(reached, family=family_outside(reached.family, periods, random))
        yield reached


def family_outside(
    family: AbstractFamily, periods: Periods, random: np.random.Generator
) -> AbstractFamily:
    """Return a family of z for one of x: draws of it where no angle is known well."""
    if isinstance(family, Particles):
        z = periods.push(np.asarray(family.histogram, float))[0]
        return Particles(z.astype(np.asarray(family.histogram).dtype))
    parts = family.parts if isinstance(family, Mixture) else (family,)
    weights = np.asarray(family.weights) if isinstance(family, Mixture) else np.ones(1)
    normals, dtype = [_normal_of(part) for part in parts], np.asarray(family.mean()).dtype
    if all((normal.std[periods.elements] < _NARROW).all() for normal in normals):
        moved = [periods.shrunk(normal).family(dtype) for normal in normals]
        return Mixture.of(moved, weights) if isinstance(family, Mixture) else moved[0]
    mixture = NormalMixture(tuple(normals), weights / weights.sum())
    return Particles(periods.push(mixture.draw(random, _DRAWS))[0].astype(dtype))


def _normal_of(family: AbstractFamily) -> Normal:
    """Read a Gaussian of a stage."""
    normal = as_normal(family)
    assert normal is not None
    return normal
