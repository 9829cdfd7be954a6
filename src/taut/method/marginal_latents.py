"""What weights of globals tell of the latents: how far they are from those of a fit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float

from taut.diagnose import BalancedWeights, Shifted, beyond_noise, criteria
from taut.marginal import AbstractPoints, Estimate, Given, ImportancePoints, Integrand, Value
from taut.method.marginal_fit import Draws, Latents, MarginalFit, Vector

Two = tuple[Latents, Latents]

# Draws at which the spread of latents is looked at.
_SPREADS = 8
# Share of its own variance that a latent keeps at least when its spread is corrected.
_NARROWEST = 0.25


def means_of(fit: MarginalFit, theta: Draws, found: Sequence[Value | Estimate]) -> Draws:
    """Return the latents' means, less that of the fit; the fit's own where there is none."""
    means, linear = np.array([one.mean for one in found]), fit.middle(theta)
    finite = np.isfinite(means).all(axis=1, keepdims=True)
    return np.where(finite, means, linear) - fit.middle(fit.normal.mean[None])


def moments_moved(
    fit: MarginalFit, weights: BalancedWeights, theta: Draws, means: Draws, own: "Own"
) -> Shifted:
    """Compare the latents' moments with the fit's."""
    linear = (theta - fit.normal.mean) @ fit.slope.T
    first = _sum(weights.difference(means, linear), own.mean)
    second = _sum(squares_moved(weights, means, linear, fit.of_globals), own.square)
    return Shifted.of(first, second, fit.of_globals + fit.own)


def left_of(
    fit: MarginalFit, weights: BalancedWeights, theta: Draws, means: Draws, own: "Own"
) -> tuple[Shifted, "Line"]:
    """Compare the latents' moments with those that are linear in the globals, under p both."""
    away = theta - fit.normal.mean
    linear = away @ fit.slope.T
    rest, nothing = means - linear, np.zeros_like(linear)
    first = _sum(weights.difference(rest, nothing), own.mean)
    share = weights.relative / len(theta)
    middle = share @ away
    rest, linear = rest - share @ rest, linear - share @ linear
    wider = _sum(weights.difference(rest * (rest + 2 * linear), nothing), own.square)
    second = wider[0] + first[0] ** 2 - own.mean[0] ** 2
    left = Shifted.of(first, (second, wider[1]), fit.of_globals + fit.own)
    away = away - middle
    slope = np.linalg.solve((away.T * share) @ away, (away.T * share) @ rest).T
    return left, Line(middle, slope)


@final
@dataclass(frozen=True, eq=False)
class Line:
    """How what is left of latents' means moves with the globals, and the middle of these."""

    middle: Vector
    slope: Float[np.ndarray, "latents globals"]


def straightened(better: MarginalFit, fit: MarginalFit, left: Shifted, line: Line) -> MarginalFit:
    """Move means, slopes and spread of latents to what weights tell, less what is noise."""
    at = fit.normal.mean + line.middle - fit.origin
    shift = beyond_noise(left.mean, left.noise) * left.std
    better = replace(
        better, slope=fit.slope + line.slope, center=fit.center + shift - line.slope @ at
    )
    factor = np.exp(2 * beyond_noise(left.log_sd, left.log_sd_noise))
    own = (fit.of_globals + fit.own) * factor - replace(fit, slope=better.slope).of_globals
    return replace(better, scale=np.sqrt(np.maximum(own, _NARROWEST * fit.own) / fit.variances))


@final
@dataclass(frozen=True, eq=False)
class Own:
    """By how much latents given the globals differ from the fit's, each with its noise."""

    mean: Two
    square: Two

    @classmethod
    def of(
        cls,
        integrand: Integrand,
        points: AbstractPoints | None,
        fit: MarginalFit,
        weights: BalancedWeights,
        theta: Draws,
        found: Sequence[Value | Estimate],
        check_time: Callable[[], None],
    ) -> "Own":
        """Look at all draws, or at a few where that takes as long again as the density."""
        nothing = np.zeros(len(fit.own)), np.zeros(len(fit.own))
        known = [one.variances for one in found if isinstance(one, Value)]
        if known and known[0] is not None:
            each = np.array(known)
            # Far out, where there is hardly any weight, sums over nodes may be anything.
            each = np.where((each > 0) & np.isfinite(each), each, fit.own)
            return cls(nothing, weights.difference(each - fit.own, np.zeros(each.shape)))
        # Of heavy tails the draws at a usual distance.
        x = np.linalg.solve(fit.normal.root, (theta - fit.normal.mean).T)
        some = np.argsort(np.abs((x**2).sum(axis=0) - len(x)), kind="stable")[:_SPREADS]
        may_do = weights.is_even or weights.weights.ess > criteria.CRITERIA.effective
        if isinstance(points, ImportancePoints):
            if not (points.has_shape or may_do):
                unknown = np.zeros(len(fit.own)), np.full(len(fit.own), np.inf)
                return cls(unknown, unknown)
            means = [found[i].mean for i in some]
            shape = points.shape(_given(fit), list(theta[some]), means, check_time)
            wider = shape.variances + shape.square - fit.own
            return cls((shape.shift, shape.shift_noise), (wider, shape.square_noise))
        each = np.array([integrand.given(one).variances for one in theta[some]])
        share = weights.relative[some] / weights.relative[some].sum()
        return cls(nothing, (share @ each - fit.own, nothing[1]))


def _given(fit: MarginalFit) -> Given:
    return Given(fit.center, fit.variances, fit.precision)


def _sum(one: Two, other: Two) -> Two:
    return one[0] + other[0], np.hypot(one[1], other[1])


def squares_moved(weights: BalancedWeights, one: Draws, other: Draws, expected: Latents) -> Two:
    """Compare squares, less what they are expected to be, whose mean has no noise."""
    return weights.difference(one**2 - expected, other**2 - expected)
