"""Importance weights of globals, whose latents are integrated out, judge and improve a fit."""

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
)
from taut.errors import NotFiniteError
from taut.family import Particles
from taut.gaussian import DenseNormal
from taut.marginal import AbstractPoints, Integrand
from taut.method.marginal_draws import Pool
from taut.method.marginal_fit import Draws, MarginalFit
from taut.method.marginal_latents import (
    Own,
    left_of,
    means_of,
    moments_moved,
    squares_moved,
    straightened,
)
from taut.method.marginal_refit import refitted
from taut.method.problem import Problem
from taut.method.third_cumulant import Third, third_cumulant

# Weighted moments of few draws are shrunk as if by so many more for each global unknown.
_SHRINK = 2.0
# Share of draws that is effective under which the fit is far from what they tell.
_FEW = 0.25
# Draws by weights.
_PARTICLES = 8192


@final
@dataclass(frozen=True, eq=False)
class Weighted:
    """Draws of the globals with their weights.

    Parameters
    ----------
    pool
        The draws.
    theta, x, log_p
        Where they are, in the globals and in standard deviations of the fit; the marginal log
        density there.
    weights
        Of the density, and of the fit.
    """

    pool: Pool
    theta: Draws
    x: Draws
    log_p: Float[np.ndarray, " draws"]
    weights: BalancedWeights

    @property
    def share(self) -> Float[np.ndarray, " draws"]:
        """The weights of the density, which sum to one."""
        return self.weights.weights.weights


@final
@dataclass(frozen=True, eq=False)
class Weighed:
    """What weights say of a fit.

    Parameters
    ----------
    check
        How far they move its marginals.
    whole, known
        The draws that are weighed, and those of them whose latents are held.
    better
        The fit with what the weights moved.
    is_far
        Whether that is so far away that these draws are of no use to it.
    third
        What the integrals over latents leave out.
    left
        How far latents' marginals are off where globals are drawn by their weights.
    """

    check: WeightCheck
    whole: Weighted
    known: Weighted
    better: MarginalFit
    is_far: bool
    third: Third
    left: Shifted

    @property
    def elbo(self) -> float:
        """Of the globals, in nats."""
        return self.whole.weights.elbo


def weigh(
    problem: Problem,
    integrand: Integrand,
    points: AbstractPoints | None,
    fit: MarginalFit,
    pool: Pool,
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
    pool
        Draws of it, and of others.
    """
    whole = _weighted(fit, pool)
    # Of draws whose latents are not held the globals are known.
    known = whole if pool.held.size == pool.size else _weighted(fit, pool.held)
    if np.isneginf(whole.log_p).all():
        raise NotFiniteError("The density with latents integrated out is not finite at any draw.")
    weights, theta, found = known.weights, known.theta, known.pool.found
    outer = _of_globals(fit, whole.weights, whole.theta)
    means = means_of(fit, theta, found)
    own = Own.of(integrand, points, fit, weights, theta, found, problem.gradients.check_time)
    inner = moments_moved(fit, weights, theta, means, own)
    left, line = left_of(fit, weights, theta, means, own)
    check = _check(integrand, problem.gradients.target.dim, outer, inner, whole.weights)
    third = third_cumulant(problem.gradients.target.space, integrand, found, weights, known.x)
    far = None
    # Of draws that look further most weigh nothing.
    is_poor = whole.weights.weights.ess < _FEW * whole.weights.share * pool.size
    if is_poor and not pool.is_bent:
        absolute = means + fit.middle(fit.normal.mean[None])
        far = refitted(integrand, points, fit, known.x, known.log_p, weights.plain, absolute)
    if far is None:
        near = _moved(fit, whole.weights, whole.x, outer, is_near=check.is_reliable)
        better = straightened(near, fit, left, line)
    else:
        better = far
    return Weighed(check, whole, known, better, far is not None, third, left)


def _weighted(fit: MarginalFit, pool: Pool) -> Weighted:
    theta, log_p, normal = pool.theta, pool.log_p, fit.normal
    weights = BalancedWeights.of(log_p, normal.log_prob(theta), pool.log_proposal(theta))
    return Weighted(pool, theta, normal.whiten(theta), log_p, weights)


def _of_globals(fit: MarginalFit, weights: BalancedWeights, theta: Draws) -> Shifted:
    """Compare the globals' moments with the fit's."""
    away, own = theta - fit.normal.mean, fit.normal.std**2
    return Shifted.of(weights.difference(away, away), squares_moved(weights, away, away, own), own)


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


def are_enough(weights: ImportanceWeights, theta: Draws) -> bool:
    """Whether weighted draws of the globals are worth those of a repair.

    Parameters
    ----------
    weights
        Of the draws.
    theta
        The draws.
    """
    bounds = criteria.CRITERIA
    if weights.khat >= bounds.khat or weights.ess <= bounds.effective:
        return False
    return _effective_spread(weights.weights, theta) > bounds.effective_spread


def latents_stay(left: Shifted) -> bool:
    """Whether latents' marginals, given weighted draws of the globals, are those of a fit."""
    bounds = criteria.CRITERIA
    # Latents that nobody has looked at have infinite noise.
    is_seen = np.isfinite(left.noise).all() and np.isfinite(left.log_sd_noise).all()
    means, log_sds = np.abs(left.mean).max(), np.abs(left.log_sd).max()
    return bool(is_seen and means < bounds.mean_shift and log_sds < bounds.log_sd_shift)


def _effective_spread(share: Float[np.ndarray, " draws"], theta: Draws) -> float:
    """Return how many draws of a normal distribution know as much of the worst spread."""
    squares = (theta - share @ theta) ** 2
    noise = share**2 @ (squares / (share @ squares) - 1.0) ** 2
    return float(2.0 / noise.max())


def resampled(problem: Problem, weighed: Weighed, random: np.random.Generator) -> Particles:
    """Draw globals by their weights."""
    kept = alike(weighed.whole, _PARTICLES, random.random())
    return Particles(kept.astype(problem.gradients.target.dtype))


def alike(weighted: Weighted, draws: int, offset: float = 0.5) -> Draws:
    """Return draws that weigh alike: each as often as its weight says."""
    return alike_of(weighted.theta, weighted.share, draws, offset)


def alike_of(
    theta: Draws, share: Float[np.ndarray, " draws"], draws: int, offset: float = 0.5
) -> Draws:
    """Return so many draws that weigh alike.

    Parameters
    ----------
    theta, share
        Draws, and their weights.
    draws
        How many are returned.
    offset
        Between 0 and 1: where the first of them is.
    """
    places = (offset + np.arange(draws)) / draws
    which = np.searchsorted(np.cumsum(share), places * share.sum())
    return theta[np.minimum(which, len(share) - 1)]
