"""Limited-memory BFGS along many paths at once, with what Pathfinder reads off each iterate."""

from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from taut.gradients import AbstractGradients, OutOfTime

# Pairs of steps and changes of gradient that are remembered.
_MEMORY = 6
_TRIES = 20
# Constants of the weak Wolfe conditions: enough decrease, and enough of the slope gone.
_DECREASE, _CURVATURE = 1e-4, 0.9
_RELATIVE_DECREASE = 1e-9
_SMALL_SLOPE = 1e-8
_SMALL_CURVATURE = 1e-12
_BESIDE = 0.1

Vector = Float[np.ndarray, " dim"]


@dataclass(frozen=True)
class Curvature:
    r"""What a quasi-Newton path knows of the inverse Hessian.

    .. math:: H = \operatorname{diag}(\alpha) + \ldots

    Parameters
    ----------
    diagonal
        :math:`\alpha`.
    pairs
        The last differences of positions and of gradients. Iterates of a path share them.
    """

    diagonal: Vector
    pairs: tuple[tuple[Vector, Vector], ...] = ()

    @classmethod
    def flat(cls, dim: int) -> "Curvature":
        """Know nothing yet."""
        return cls(np.ones(dim))

    def after(self, step: Vector, change: Vector) -> "Curvature":
        """Take in one more step; what shows no positive curvature is left out."""
        if not step @ change > _SMALL_CURVATURE * (change @ change):
            return self
        diagonal = _updated_diagonal(self.diagonal, step, change)
        return Curvature(diagonal, (*self.pairs, (step, change))[-_MEMORY:])

    @np.errstate(all="ignore")
    def times(self, vector: Vector) -> Vector:
        """Multiply by the inverse Hessian, by the two loops of Nocedal and Wright.

        Infinite where a path runs off an improper density, which ends it.
        """
        pairs = self.pairs
        if not pairs:
            return vector * min(1.0, 1.0 / max(float(np.linalg.norm(vector)), 1e-300))
        weights, left = [], vector.copy()
        for step, change in reversed(pairs):
            weights.append((step @ left) / (step @ change))
            left -= weights[-1] * change
        left *= (pairs[-1][0] @ pairs[-1][1]) / (pairs[-1][1] @ pairs[-1][1])
        for (step, change), weight in zip(pairs, reversed(weights), strict=True):
            left += step * (weight - (change @ left) / (step @ change))
        return left


def _updated_diagonal(diagonal: Vector, step: Vector, change: Vector) -> Vector:
    """Update the diagonal as Gilbert and Lemaréchal do, kept where that is no scale."""
    with np.errstate(all="ignore"):
        a, b, c = (change * diagonal) @ change, change @ step, (step / diagonal) @ step
        inverse = a / (b * diagonal) + change**2 / b - a * step**2 / (b * c * diagonal**2)
        new = 1.0 / inverse
    return new if np.isfinite(new).all() and (new > 0).all() else diagonal


@dataclass(frozen=True)
class PathPoint:
    """An iterate: position, log density and its gradient, and the curvature known there."""

    position: Vector
    value: float
    slope: Vector
    curvature: Curvature

    @property
    def is_finite(self) -> bool:
        """Whether a path can begin here."""
        return bool(np.isfinite(self.value) and np.isfinite(self.slope).all())


_Ask = Generator[Vector, tuple[float, Vector], None]


class Path:
    """One ascent of the log density; it asks for evaluations and is told of them.

    Parameters
    ----------
    start
        Where it begins.
    longest
        Iterations at most.
    """

    def __init__(self, start: Vector, longest: int) -> None:
        self.points: list[PathPoint] = []
        self._longest = longest
        self._steps = self._ascend(start)
        self.wanted: Vector | None = next(self._steps)

    def tell(self, value: float, slope: Vector) -> None:
        """Take in the density at the point that was wanted, and want another or none."""
        try:
            self.wanted = self._steps.send((value, slope))
        except StopIteration:
            self.wanted = None

    def _ascend(self, start: Vector) -> _Ask:
        value, slope = yield start
        if np.isfinite(value) and np.abs(slope).max() < _SMALL_SLOPE:
            # A path that begins at a mode would learn nothing of the curvature there.
            start = start + _BESIDE
            value, slope = yield start
        at = PathPoint(start, value, slope, Curvature.flat(len(start)))
        if not at.is_finite:
            return
        self.points.append(at)
        for _ in range(self._longest):
            direction = at.curvature.times(at.slope)
            if not direction @ at.slope > 0:
                direction = at.slope
            reached = yield from _search(at, direction)
            if reached is None or np.abs(reached.slope).max() < _SMALL_SLOPE:
                if reached is not None:
                    self.points.append(reached)
                return
            gain, at = reached.value - at.value, reached
            self.points.append(at)
            if gain < _RELATIVE_DECREASE * max(1.0, abs(at.value)):
                return


def _search(
    at: PathPoint, direction: Vector
) -> Generator[Vector, tuple[float, Vector], PathPoint | None]:
    """Search along a direction for a point that meets the weak Wolfe conditions, by bisection."""
    length, low, high, best = 1.0, 0.0, np.inf, None
    rise = direction @ at.slope
    for _ in range(_TRIES):
        position = at.position + length * direction
        value, slope = yield position
        finite = np.isfinite(value) and np.isfinite(slope).all()
        if not finite or value < at.value + _DECREASE * length * rise:
            high = length
        else:
            best = position, value, slope
            if slope @ direction <= _CURVATURE * rise:
                break
            low = length
        length = 0.5 * (low + high) if np.isfinite(high) else 2.0 * length
    if best is None or best[1] <= at.value:
        return None
    position, value, slope = best
    curvature = at.curvature.after(position - at.position, at.slope - slope)
    return PathPoint(position, value, slope, curvature)


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
    paths = [Path(start, longest) for start in starts]
    with suppress(OutOfTime):
        while asking := [path for path in paths if path.wanted is not None]:
            values, slopes = gradients(np.stack([p.wanted for p in asking if p.wanted is not None]))
            for path, value, slope in zip(asking, values, slopes, strict=True):
                path.tell(float(value), slope)
    return [path.points for path in paths]
