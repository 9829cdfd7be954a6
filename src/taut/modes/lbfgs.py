"""Limited-memory BFGS along many paths at once, with what Pathfinder reads off each iterate."""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from taut.gradients import AbstractGradients, OutOfTime
from taut.modes.inverse_hessian import (
    MEMORY,
    Curvature,
    Vector,
    Vectors,
    curves,
    dot,
    times,
    updated_diagonals,
)

_TRIES = 20
# A path whose searches take more evaluations than so many for each step and so many more runs down
# the neck of a funnel, where there is no peak to come to.
_EACH, _SPARE = 2, 40
# Constants of the weak Wolfe conditions: enough decrease, and enough of the slope gone.
_DECREASE, _CURVATURE = 1e-4, 0.9
_RELATIVE_DECREASE = 1e-9
_SMALL_SLOPE = 1e-8
_BESIDE = 0.1

Numbers = Int[np.ndarray, " some"]
Each = Float[np.ndarray, " some"]


@dataclass(frozen=True)
class PathPoint:
    """An iterate: position, log density and its gradient, and the curvature known there."""

    position: Vector
    value: float
    slope: Vector
    curvature: Curvature


class Ascent:
    """Paths uphill in lock-step; they ask for evaluations and are told of them.

    Parameters
    ----------
    starts
        Where they begin.
    longest
        Iterations of each at most.
    """

    def __init__(self, starts: Vectors, longest: int) -> None:
        count, dim = starts.shape
        self.points: list[list[PathPoint]] = [[] for _ in starts]
        self._longest = longest
        self._is_begun, self._is_over = np.zeros((2, count), bool)
        # Where paths are, and what the search along a direction has found.
        self._at, self._slope = starts.astype(float), np.zeros((count, dim))
        self._direction, self._best, self._best_slope = np.zeros((3, count, dim))
        self._value, self._best_value, self._rise = np.zeros((3, count))
        self._length, self._low, self._high = np.zeros((3, count))
        self._tries, self._iterations, self._evaluations = np.zeros((3, count), int)
        self._diagonal = np.ones((count, dim))
        self._steps, self._changes = np.zeros((2, MEMORY, count, dim))

    @property
    def asking(self) -> Numbers:
        """The numbers of paths that are not at their end."""
        return np.flatnonzero(~self._is_over)

    def wanted(self, paths: Numbers) -> Vectors:
        """Return where these ask for the density."""
        return self._at[paths] + self._length[paths, None] * self._direction[paths]

    @np.errstate(all="ignore")
    def tell(self, paths: Numbers, values: Each, slopes: Vectors) -> None:
        """Take in the density at the points that were wanted."""
        self._evaluations[paths] += 1
        begun = self._is_begun[paths]
        for some, take in (~begun, self._begin), (begun, self._search):
            if some.any():
                take(paths[some], values[some], slopes[some])

    def _begin(self, paths: Numbers, values: Each, slopes: Vectors) -> None:
        """Take in the density at starts."""
        # A path that begins at a mode would learn nothing of the curvature there.
        flat = np.isfinite(values) & _is_flat(slopes) & (self._tries[paths] == 0)
        self._at[paths[flat]] += _BESIDE
        self._tries[paths] += 1
        good = _is_finite(values, slopes)
        self._is_over[paths[~good & ~flat]] = True
        begin, some = paths[good & ~flat], good & ~flat
        self._is_begun[begin] = True
        self._value[begin], self._slope[begin] = values[some], slopes[some]
        for path in begin:
            self._write(path, Curvature(self._diagonal[path].copy()))
        self._aim(begin)

    def _aim(self, paths: Numbers) -> None:
        """Choose where paths go on, and begin to search there."""
        slopes = self._slope[paths]
        direction = times(self._steps[:, paths], self._changes[:, paths], slopes)
        rises = dot(direction, slopes) > 0
        self._direction[paths] = direction = np.where(rises[:, None], direction, slopes)
        self._rise[paths] = dot(direction, slopes)
        self._length[paths], self._low[paths], self._high[paths] = 1.0, 0.0, np.inf
        self._best_value[paths], self._tries[paths] = -np.inf, 0

    def _search(self, paths: Numbers, values: Each, slopes: Vectors) -> None:
        """Search for points that meet the weak Wolfe conditions, by bisection."""
        length, rise = self._length[paths], self._rise[paths]
        enough = values >= self._value[paths] + _DECREASE * length * rise
        up = _is_finite(values, slopes) & enough
        found = up & (dot(slopes, self._direction[paths]) <= _CURVATURE * rise)
        better = paths[up]
        self._best[better] = self.wanted(better)
        self._best_value[better], self._best_slope[better] = values[up], slopes[up]
        self._low[paths[up & ~found]] = length[up & ~found]
        self._high[paths[~up]] = length[~up]
        self._tries[paths] += 1
        high = self._high[paths]
        between = 0.5 * (self._low[paths] + high)
        self._length[paths] = np.where(np.isfinite(high), between, 2.0 * length)
        over = found | (self._tries[paths] == _TRIES)
        if over.any():
            self._arrive(paths[over])

    def _arrive(self, paths: Numbers) -> None:
        """Go to the best points that were found; end paths that gain nothing any more."""
        gain = self._best_value[paths] - self._value[paths]
        self._is_over[paths[~(gain > 0)]] = True
        paths, gain = paths[gain > 0], gain[gain > 0]
        self._learn(paths)
        self._iterations[paths] += 1
        enough = gain >= _RELATIVE_DECREASE * np.maximum(1.0, np.abs(self._value[paths]))
        goes_on = enough & ~_is_flat(self._slope[paths])
        goes_on &= self._iterations[paths] < self._longest
        goes_on &= self._evaluations[paths] <= _EACH * self._iterations[paths] + _SPARE
        self._is_over[paths[~goes_on]] = True
        self._aim(paths[goes_on])

    def _learn(self, paths: Numbers) -> None:
        """Take steps, and write down where they lead, with the curvature that they show."""
        step, change = self._best[paths] - self._at[paths], self._slope[paths]
        change = change - self._best_slope[paths]
        shows = curves(step, change)
        some = paths[shows]
        updated = updated_diagonals(self._diagonal[some], step[shows], change[shows])
        self._diagonal[some] = updated
        for last, new in (self._steps, step), (self._changes, change):
            last[:-1, some] = last[1:, some]
            last[-1, some] = new[shows]
        self._at[paths], self._value[paths] = self._best[paths], self._best_value[paths]
        self._slope[paths] = self._best_slope[paths]
        for number, path in enumerate(paths):
            known = self.points[path][-1].curvature
            if shows[number]:
                pair = step[number], change[number]
                known = known.after(self._diagonal[path].copy(), *pair)
            self._write(path, known)

    def _write(self, path: int, curvature: Curvature) -> None:
        value, slope = float(self._value[path]), self._slope[path].copy()
        self.points[path].append(PathPoint(self._at[path].copy(), value, slope, curvature))


def _is_finite(values: Each, slopes: Vectors) -> Bool[np.ndarray, " some"]:
    return np.isfinite(values) & np.isfinite(slopes).all(axis=1)


def _is_flat(slopes: Vectors) -> Bool[np.ndarray, " some"]:
    return np.abs(slopes).max(axis=1) < _SMALL_SLOPE


def ascend(
    gradients: AbstractGradients, starts: Float[np.ndarray, "paths dim"], longest: int = 100
) -> list[list[PathPoint]]:
    """Follow paths uphill in lock-step, all of them by the same calls of the gradient.

    They end where they are when there is no time left.

    Parameters
    ----------
    gradients
        Of the log density.
    starts
        One a path. A path whose start has no finite density has no points.
    longest
        Iterations of a path at most.
    """
    ascent = Ascent(starts, longest)
    with suppress(OutOfTime):
        while len(paths := ascent.asking):
            ascent.tell(paths, *gradients(ascent.wanted(paths)))
    return ascent.points
