"""Importance weights of globals, whose latents are integrated out, judge and improve a fit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float

from taut.diagnose import (
    BalancedWeights,
    ImportanceWeights,
    Shifted,
    WeightCheck,
    beyond_noise,
    criteria,
    heavy_noise,
)
from taut.errors import NotFiniteError
from taut.family import Particles
from taut.gaussian import DenseNormal
from taut.marginal import Estimate, Given, ImportancePoints, Integrand, Value
from taut.method.marginal_fit import Draws, Latents, MarginalFit, Vector, counted
from taut.method.marginal_refit import refitted
from taut.method.problem import Problem
from taut.method.third_cumulant import Third, third_cumulant

Two = tuple[Latents, Latents]

# Draws at which the spread of latents is looked at.
_SPREADS = 8
# Share of its own variance that a latent keeps at least when its spread is corrected.
_NARROWEST = 0.25
# Weighted moments of few draws are shrunk as if by so many more for each global unknown.
_SHRINK = 2.0
# Share of draws that is effective under which the fit is far from what they tell.
_FEW = 0.25
# Draws by weights.
_PARTICLES = 8192


@final
@dataclass(frozen=True, eq=False)
class Weighed:
    """What weights say of a fit.

    Parameters
    ----------
    check
        How far they move its marginals.
    elbo, divergence
        Of the globals, in nats.
    better
        The fit with what the weights moved.
    theta
        The draws that are weighed.
    third
        What the integrals over latents leave out.
    left
        How far latents' marginals are off where globals are drawn by their weights.
    """

    check: WeightCheck
    elbo: float
    divergence: float
    better: MarginalFit
    theta: Draws
    third: Third
    left: Shifted


def weigh(
    problem: Problem,
    integrand: Integrand,
    points: ImportancePoints | None,
    fit: MarginalFit,
    draws: int,
    random: np.random.Generator,
) -> Weighed:
    """Weigh draws of the globals, and compare what they say of all marginals with the fit.

    Parameters
    ----------
    problem
        What is fitted.
    integrand
        The marginal density.
    points
        Integrate latents out that are not normal.
    fit
        Is weighed.
    draws
        How many.
    random
        Makes them.
    """
    normal = fit.normal
    x, above = heavy_noise(random, draws, len(fit.origin))
    theta, log_q = normal.push(x)
    found = _integrated(problem, integrand, points, fit, theta)
    log_p = np.array([one.value for one in found])
    log_p[~np.isfinite(log_p)] = -np.inf
    if np.isneginf(log_p).all():
        raise NotFiniteError("The density with latents integrated out is not finite at any draw.")
    weights = BalancedWeights.of(log_p, log_q, log_q + above)
    outer = _of_globals(fit, weights, theta)
    means = _means(fit, theta, found)
    own = _Own.of(integrand, points, fit, weights, theta, found, problem.gradients.check_time)
    inner = _of_latents(fit, weights, theta, means, own)
    left, line = _left(fit, weights, theta, means, own)
    check = _check(integrand, problem.gradients.target.dim, outer, inner, weights)
    third = third_cumulant(problem.gradients.target.space, integrand, found, weights, x)
    better = None
    if weights.weights.ess < _FEW * weights.share * draws:
        absolute = means + fit.middle(normal.mean[None])
        better = refitted(integrand, points, fit, x, log_p, weights.plain, absolute)
    if better is None:
        better = _moved(fit, weights, x, outer, is_near=check.is_reliable)
        better = _straightened(better, fit, left, line)
    return Weighed(check, weights.elbo, weights.divergence, better, theta, third, left)


def _means(fit: MarginalFit, theta: Draws, found: Sequence[Value | Estimate]) -> Draws:
    """Return the latents' means, less that of the fit; the fit's own where there is none."""
    means, linear = np.array([one.mean for one in found]), fit.middle(theta)
    finite = np.isfinite(means).all(axis=1, keepdims=True)
    return np.where(finite, means, linear) - fit.middle(fit.normal.mean[None])


def _of_globals(fit: MarginalFit, weights: BalancedWeights, theta: Draws) -> Shifted:
    """Compare the globals' moments with the fit's."""
    away, own = theta - fit.normal.mean, fit.normal.std**2
    return Shifted.of(weights.difference(away, away), _squares(weights, away, away, own), own)


def _of_latents(
    fit: MarginalFit, weights: BalancedWeights, theta: Draws, means: Draws, own: "_Own"
) -> Shifted:
    """Compare the latents' moments with the fit's."""
    linear = (theta - fit.normal.mean) @ fit.slope.T
    first = _sum(weights.difference(means, linear), own.mean)
    second = _sum(_squares(weights, means, linear, fit.of_globals), own.square)
    return Shifted.of(first, second, fit.of_globals + fit.own)


def _left(
    fit: MarginalFit, weights: BalancedWeights, theta: Draws, means: Draws, own: "_Own"
) -> tuple[Shifted, "_Line"]:
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
    return left, _Line(middle, slope)


@dataclass(frozen=True, eq=False)
class _Line:
    """How what is left of latents' means moves with the globals, and the middle of these."""

    middle: Vector
    slope: Float[np.ndarray, "latents globals"]


def _straightened(better: MarginalFit, fit: MarginalFit, left: Shifted, line: _Line) -> MarginalFit:
    """Give latents the means, slopes and spread that weights tell, less what is noise."""
    at = fit.normal.mean + line.middle - fit.origin
    shift = beyond_noise(left.mean, left.noise) * left.std
    better = replace(
        better, slope=fit.slope + line.slope, center=fit.center + shift - line.slope @ at
    )
    factor = np.exp(2 * beyond_noise(left.log_sd, left.log_sd_noise))
    own = (fit.of_globals + fit.own) * factor - replace(fit, slope=better.slope).of_globals
    return replace(better, scale=np.sqrt(np.maximum(own, _NARROWEST * fit.own) / fit.variances))


def _integrated(
    problem: Problem,
    integrand: Integrand,
    points: ImportancePoints | None,
    fit: MarginalFit,
    theta: Draws,
) -> Sequence[Value | Estimate]:
    if points is None:
        return [counted(problem, integrand, one) for one in theta]
    integral = points.near(_given(fit))
    found = []
    for one, middle in zip(theta, fit.middle(theta), strict=True):
        problem.gradients.check_time()
        problem.gradients.add(1)
        found.append(integral(one, middle))
    return found


def _squares(weights: BalancedWeights, one: Draws, other: Draws, expected: Latents) -> Two:
    """Compare squares, less what they are expected to be, whose mean has no noise."""
    return weights.difference(one**2 - expected, other**2 - expected)


@dataclass(frozen=True, eq=False)
class _Own:
    """By how much latents given the globals differ from the fit's, each with its noise."""

    mean: Two
    square: Two

    @classmethod
    def of(
        cls,
        integrand: Integrand,
        points: ImportancePoints | None,
        fit: MarginalFit,
        weights: BalancedWeights,
        theta: Draws,
        found: Sequence[Value | Estimate],
        check_time: Callable[[], None],
    ) -> "_Own":
        """Look at all draws, or at a few where that takes as long again as the density."""
        nothing = np.zeros(len(fit.own)), np.zeros(len(fit.own))
        known = [one.variances for one in found if isinstance(one, Value)]
        if known and known[0] is not None:
            each = np.array(known)
            return cls(nothing, weights.difference(each - fit.own, np.zeros(each.shape)))
        # Of heavy tails the draws at a usual distance.
        x = np.linalg.solve(fit.normal.root, (theta - fit.normal.mean).T)
        some = np.argsort(np.abs((x**2).sum(axis=0) - len(x)), kind="stable")[:_SPREADS]
        may_do = weights.is_even or weights.weights.ess > criteria.CRITERIA.effective
        if points is not None and not (points.has_shape or may_do):
            unknown = np.zeros(len(fit.own)), np.full(len(fit.own), np.inf)
            return cls(unknown, unknown)
        if points is not None:
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


def _check(
    integrand: Integrand, dim: int, outer: Shifted, inner: Shifted, weights: BalancedWeights
) -> WeightCheck:
    """Put what was found of globals and latents into the order of the flat vector."""
    latents = integrand.structure.latents
    assert latents is not None
    at = np.concatenate([integrand.structure.globals, latents.places])

    def whole(of_outer: np.ndarray, of_inner: np.ndarray) -> np.ndarray:
        flat = np.empty(dim)
        flat[at] = np.concatenate([of_outer, of_inner])
        return flat

    return WeightCheck(
        whole(outer.mean, inner.mean),
        whole(outer.log_sd, inner.log_sd),
        whole(outer.noise, inner.noise),
        whole(outer.log_sd_noise, inner.log_sd_noise),
        weights.weights,
        weights.share,
    )


def _moved(
    fit: MarginalFit, weights: BalancedWeights, x: Draws, outer: Shifted, *, is_near: bool
) -> MarginalFit:
    """Move the globals to their weighted moments, less noise, or shrunk where they are far."""
    normal = fit.normal
    if is_near:
        mean = normal.mean + beyond_noise(outer.mean, outer.noise) * normal.std
        factor = np.exp(beyond_noise(outer.log_sd, outer.log_sd_noise))
        return replace(fit, normal=normal.moved(mean, factor))
    share = weights.relative / len(x)
    center = share @ x
    away = x - center
    trust = weights.weights.ess / (weights.weights.ess + _SHRINK * x.shape[1])
    spread = trust * (away.T * share) @ away + (1 - trust) * np.eye(x.shape[1])
    root = normal.root @ np.linalg.cholesky(spread)
    return replace(fit, normal=DenseNormal(normal.mean + trust * normal.root @ center, root))


def are_enough(weights: ImportanceWeights, left: Shifted) -> bool:
    """Whether weighted draws of the globals are worth those of a repair, and latents stay."""
    bounds = criteria.CRITERIA
    means, log_sds = np.abs(left.mean).max(), np.abs(left.log_sd).max()
    # Latents that nobody has looked at have infinite noise.
    is_seen = np.isfinite(left.noise).all() and np.isfinite(left.log_sd_noise).all()
    stay = is_seen and means < bounds.mean_shift and log_sds < bounds.log_sd_shift
    return bool(stay and weights.khat < bounds.khat and weights.ess > bounds.effective)


def resampled(problem: Problem, weighed: Weighed, random: np.random.Generator) -> Particles:
    """Draw globals by their weights."""
    share = weighed.check.weights.weights
    places = (random.random() + np.arange(_PARTICLES)) / _PARTICLES
    which = np.searchsorted(np.cumsum(share), places * share.sum())
    kept = weighed.theta[np.minimum(which, len(share) - 1)]
    return Particles(kept.astype(problem.gradients.target.dtype))
