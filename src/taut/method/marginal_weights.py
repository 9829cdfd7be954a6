"""Importance weights of globals, whose latents are integrated out, judge and improve a fit."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from taut.diagnose import (
    BalancedWeights,
    Shifted,
    WeightCheck,
    balanced_noise,
    beyond_noise,
    criteria,
)
from taut.errors import NotFiniteError
from taut.family import Particles
from taut.gaussian import DenseNormal, Weights
from taut.marginal import Integrand, Value
from taut.method.marginal_fit import Draws, Latents, MarginalFit, counted
from taut.method.problem import Problem

# Draws at which the spread of latents is looked at.
_SPREADS = 8
# Weighted moments of few draws are shrunk as if by so many more for each global unknown.
_SHRINK = 2.0
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
    """

    check: WeightCheck
    elbo: float
    divergence: float
    better: MarginalFit
    theta: Draws


def weigh(
    problem: Problem,
    integrand: Integrand,
    fit: MarginalFit,
    draws: int,
    random: np.random.Generator,
) -> Weighed:
    """Weigh draws of the globals, and compare what they say of all marginals with the fit."""
    normal = fit.normal
    x = balanced_noise(random, draws, len(fit.origin))
    theta, log_q = normal.push(x)
    found = [counted(problem, integrand, one) for one in theta]
    log_ratios = np.array([one.value for one in found]) - log_q
    log_ratios[~np.isfinite(log_ratios)] = -np.inf
    if np.isneginf(log_ratios).all():
        raise NotFiniteError("The density with latents integrated out is not finite at any draw.")
    weights = BalancedWeights.of(log_ratios)
    away = theta - normal.mean
    second = weights.difference(away**2, away**2)
    outer = Shifted.of(weights.difference(away, away), second, normal.std**2)
    linear = away @ fit.slope.T
    means = np.array([one.mean for one in found]) - fit.middle(normal.mean[None])
    inner = Shifted.of(
        weights.difference(means, linear),
        _sum(weights.difference(means**2, linear**2), _own(integrand, fit, weights, theta, found)),
        ((fit.slope @ normal.root) ** 2).sum(axis=1) + fit.variances,
    )
    check = _check(integrand, problem.gradients.target.dim, outer, inner, weights)
    elbo = float(log_ratios[np.isfinite(log_ratios)].mean())
    divergence = Weights(log_ratios).divergence
    better = replace(
        _moved(fit, weights, x, outer, is_near=check.is_reliable),
        center=fit.center + beyond_noise(inner.mean, inner.noise) * inner.std,
    )
    return Weighed(check, elbo, divergence, better, theta)


def _own(
    integrand: Integrand,
    fit: MarginalFit,
    weights: BalancedWeights,
    theta: Draws,
    found: list[Value],
) -> tuple[Latents, Latents]:
    """Return how much larger the latents' own variances are on average, with its noise.

    Where they take as long again as the density, a few draws and their mirror images are looked at.
    """
    if found[0].variances is not None:
        each = np.array([one.variances for one in found])
        return weights.difference(each, np.broadcast_to(fit.variances, each.shape))
    half = len(theta) // 2
    some = np.concatenate([np.arange(_SPREADS // 2), half + np.arange(_SPREADS // 2)])
    each = np.array([integrand.given(one).variances for one in theta[some]])
    share = weights.relative[some] / weights.relative[some].sum()
    return share @ each - fit.variances, np.zeros(len(fit.variances))


def _sum(one: tuple[Latents, Latents], other: tuple[Latents, Latents]) -> tuple[Latents, Latents]:
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


def are_enough(check: WeightCheck) -> bool:
    """Whether weighted draws are worth as many as the draws of a repair have to be."""
    bounds = criteria.CRITERIA
    return check.weights.khat < bounds.khat and check.weights.ess > bounds.effective


def resampled(problem: Problem, weighed: Weighed, random: np.random.Generator) -> Particles:
    """Draw globals by their weights."""
    share = weighed.check.weights.weights
    places = (random.random() + np.arange(_PARTICLES)) / _PARTICLES
    which = np.searchsorted(np.cumsum(share), places * share.sum())
    kept = weighed.theta[np.minimum(which, len(share) - 1)]
    return Particles(kept.astype(problem.gradients.target.dtype))
