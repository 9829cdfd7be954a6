"""Circular elements of the unconstrained vector: one period of each, around a centre."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from taut.chains.coordinates import Coordinates, Points, Values, as_pytree
from taut.gaussian import Normal
from taut.gradients import BLOCK, AbstractGradients

TURN = 2.0 * np.pi

# How near to the seam the density is evaluated on both sides, and by how many nats it differs there
# if it jumps, at least, and how many times as much as over as long a way beside it.
_BESIDE, _JUMP, _TIMES = 1e-4, 0.01, 10.0
# Angles at which the density is looked at for the place where a period is cut, and so many nats by
# which it has to be lower there than opposite to the mode.
_ANGLES, _LOWER = 16, 1.0
# Where a point is at the very end of the period, this share of it is left.
_EDGE = 1e-12

Each = Float[np.ndarray, " dim"]


@final
@as_pytree
@dataclass(frozen=True)
class Periods(Coordinates):
    r"""One period of each circular element, stretched to the whole line.

    .. math:: z_i = c_i + 2\pi \left(\frac{1}{1 + e^{-x_i}} - \frac12\right)

    Other elements are left as they are. The density of z goes on without an end, period after
    period; that of x is proper, and chains that move in x never leave the period.

    Parameters
    ----------
    elements
        Which are circular.
    centre
        Of the period of each of these.
    """

    elements: Int[np.ndarray, " circular"]
    centre: Float[np.ndarray, " circular"]

    def push(self, x: Points) -> tuple[Points, Values]:
        angles = self.centre + TURN * (_sigmoid(x[:, self.elements]) - 0.5)
        return self._with(x, angles), self._log_slope(x).sum(axis=1)

    def pull(self, x: Points, slopes: Points) -> Points:
        share = _sigmoid(x[:, self.elements])
        stretched = TURN * share * (1.0 - share) * slopes[:, self.elements]
        return self._with(slopes, stretched + 1.0 - 2.0 * share)

    def whiten(self, z: Points) -> Points:
        x = z.copy()
        share = (self.wrap(z)[:, self.elements] - self.centre) / TURN + 0.5
        share = np.clip(share, _EDGE, 1.0 - _EDGE)
        x[:, self.elements] = np.log(share) - np.log1p(-share)
        return x

    def wrap(self, z: Points) -> Points:
        """Bring points into the period, by whole turns."""
        wrapped = z.copy()
        away = z[:, self.elements] - self.centre
        wrapped[:, self.elements] = z[:, self.elements] - TURN * np.round(away / TURN)
        return wrapped

    def stretched(self, normal: Normal, draws: Points) -> Normal:
        """Return a Gaussian of the same correlations in x, with the angles of draws of z."""
        x = self.whiten(draws)[:, self.elements]
        mean, factor = normal.mean.copy(), np.ones(len(normal.mean))
        mean[self.elements] = x.mean(axis=0)
        factor[self.elements] = np.maximum(x.std(axis=0), _EDGE) / normal.std[self.elements]
        return normal.moved(mean, factor)

    def shrunk(self, normal: Normal) -> Normal:
        """Return the Gaussian in z that is the same as one in x near its mean."""
        log_slope = self._log_slope(normal.mean[None])[0]
        mean, factor = self.push(normal.mean[None])[0][0], np.ones(len(normal.mean))
        factor[self.elements] = np.exp(log_slope)
        return normal.moved(mean, factor)

    def _with(self, points: Points, columns: Float[np.ndarray, "points circular"]) -> Points:
        """Return points with other columns in the place of the circular elements."""
        which = self.elements[:, None] == np.arange(points.shape[1])
        spread = columns[:, which.argmax(axis=0)]
        return points.__array_namespace__().where(which.any(axis=0), spread, points)

    def _log_slope(self, x: Points) -> Float[np.ndarray, "points circular"]:
        xp, part = x.__array_namespace__(), x[:, self.elements]
        return np.log(TURN) - xp.logaddexp(0.0, part) - xp.logaddexp(0.0, -part)


@dataclass(frozen=True)
class _Moments:
    """Moments of elements that are normal given others, as functions of x."""

    moments: Callable[..., Any]
    elements: tuple[int, ...]
    centre: tuple[float, ...]

    def __call__(self, x: Array, data: PyTree, batch: PyTree) -> Any:
        which = np.array(self.elements)
        angles = np.array(self.centre) + TURN * (jax.nn.sigmoid(x[which]) - 0.5)
        return self.moments(x.at[which].set(angles.astype(x.dtype)), data, batch)


@final
class OnePeriod(AbstractGradients):
    """Gradients in the coordinates of one period of each circular element.

    Parameters
    ----------
    gradients
        In z.
    periods
        The coordinates.
    """

    def __init__(self, gradients: AbstractGradients, periods: Periods) -> None:
        target = gradients.target
        if target.conditionals is not None:
            parts = tuple(periods.elements.tolist()), tuple(periods.centre.tolist())
            moments = _Moments(target.conditionals.moments, *parts)
            target = replace(target, conditionals=replace(target.conditionals, moments=moments))
        timing, together = gradients.timing, gradients.together
        self._begin(replace(target, circular=()), timing, gradients.deadline, together)
        self._inner, self._periods = gradients, periods

    def _evaluate(self, z: Points) -> tuple[Float[np.ndarray, " points"], Points]:
        inside, log_det = self._periods.push(z)
        values, slopes = self._inner(inside)
        self._quickest, self.operations = self._inner.seconds_each, self._inner.operations
        self.equations = self._inner.equations
        return values + log_det, self._periods.pull(z, slopes)

    @property
    def traced(self) -> "TracedPeriod | None":
        inner = self._inner.traced
        return None if inner is None else TracedPeriod(inner, self._periods)


@as_pytree
@dataclass(frozen=True)
class TracedPeriod:
    """Gradients in one period of each circular element, for programs that move points.

    Parameters
    ----------
    inner
        In z.
    periods
        The coordinates.
    """

    inner: Callable[[Any], tuple[Any, Any]]
    periods: Periods

    def __call__(self, x: Any) -> tuple[Any, Any]:
        z, log_det = self.periods.push(x)
        values, slopes = self.inner(z)
        return values + log_det, self.periods.pull(x, slopes)


@dataclass(frozen=True)
class Room:
    """Where chains move: z itself, or x where elements of z are circular.

    Parameters
    ----------
    gradients
        In these coordinates.
    normal
        A Gaussian there.
    draws
        Draws there.
    periods
        The coordinates; `None` for z itself.
    """

    gradients: AbstractGradients
    normal: Normal
    draws: Points
    periods: Periods | None = None

    @classmethod
    def of(cls, gradients: AbstractGradients, normal: Normal, draws: Points) -> "Room":
        """Make room for a Gaussian and draws of z."""
        if not gradients.target.circular:
            return cls(gradients, normal, draws)
        values = gradients(draws[:BLOCK])[0]
        highest = np.where(np.isfinite(values), values, -np.inf).argmax()
        periods = periods_around(gradients, draws[highest])
        inside = OnePeriod(gradients, periods)
        return cls(inside, periods.stretched(normal, draws), periods.whiten(draws), periods)

    def outside(self, x: Points) -> Points:
        """Map points to z."""
        return x if self.periods is None else self.periods.push(x)[0]


def periods_around(gradients: AbstractGradients, mode: Each) -> Periods:
    """Choose a period of each circular element.

    It is cut where the density is lowest, which is opposite to its mode if there is one. Where it
    jumps at the seam of the constrained variable, at odd multiples of pi, it is cut there.

    Parameters
    ----------
    gradients
        Of the log density.
    mode
        A point where it is high.
    """
    elements = np.array(gradients.target.circular, int)
    away = TURN * np.arange(_ANGLES) / _ANGLES
    with np.errstate(all="ignore"):
        values = _along(gradients, mode, mode[elements, None] + away)
    opposite, lowest = values[:, _ANGLES // 2], values.argmin(axis=1)
    is_lower = values.min(axis=1) < opposite - _LOWER
    centre = mode[elements] + np.where(is_lower, away[lowest], np.pi) - np.pi
    return Periods(elements, np.where(seam_jumps(gradients, mode), 0.0, nearest_turn(centre)))


def nearest_turn(away: np.ndarray) -> np.ndarray:
    """Take whole turns off angles, so that they lie between -pi and pi."""
    return away - TURN * np.round(away / TURN)


def seam_jumps(gradients: AbstractGradients, point: Each) -> Bool[np.ndarray, " circular"]:
    """Return for which circular elements the density jumps at their seam, all others at a point."""
    elements = list(gradients.target.circular)
    beside = np.pi + _BESIDE * np.array([-2.0, -1.0, 1.0, 2.0])
    values = _along(gradients, point, np.tile(beside, (len(elements), 1)))
    with np.errstate(all="ignore"):
        across = np.abs(values[:, 2] - values[:, 1])
        before_and_after = np.abs(values[:, [1, 3]] - values[:, [0, 2]]).max(axis=1)
        return ~(across < np.maximum(_JUMP, _TIMES * before_and_after))


def _along(
    gradients: AbstractGradients, point: Each, angles: Float[np.ndarray, "circular many"]
) -> Float[np.ndarray, "circular many"]:
    """Evaluate the log density at angles of each circular element, all others at a point."""
    count, many = angles.shape
    points = np.tile(point, (count, many, 1))
    for row, element in enumerate(gradients.target.circular):
        points[row, :, element] = angles[row]
    return gradients(points.reshape(count * many, len(point)))[0].reshape(count, many)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    xp = x.__array_namespace__()
    return xp.exp(-xp.logaddexp(0.0, -x))
