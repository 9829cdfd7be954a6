"""A Gaussian of the globals that is far from what its draws tell is fitted to them anew."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from taut.gaussian import DenseNormal
from taut.marginal import AbstractPoints, Integrand
from taut.method.marginal_fit import Draws, MarginalFit, Vector

Each = Float[np.ndarray, " draws"]

# Effective draws for each coefficient of a quadratic.
_EFFECTIVE = 1.5
# How far a Gaussian moves at most, in standard deviations, and by what its curvatures change.
_FARTHEST, _SHARPER = 4.0, 16.0
# Powers of the weights that are tried.
_POWERS = (1.0, 0.5, 0.25, 0.12, 0.06, 0.03, 0.0)


def refitted(
    integrand: Integrand,
    points: AbstractPoints | None,
    fit: MarginalFit,
    x: Draws,
    log_p: Each,
    plain: Each,
    means: Float[np.ndarray, "draws latents"],
) -> MarginalFit | None:
    """Fit a Gaussian to log densities at draws; `None` where they are too few, or not finite.

    Parameters
    ----------
    integrand, points
        The marginal density.
    fit
        What the draws are of.
    x
        The draws, in its standard deviations.
    log_p, plain
        Their log densities, and weights of the fit.
    means
        Of latents there.
    """
    quadratic = _quadratic(x, log_p, plain)
    if quadratic is None:
        return None
    center, root = quadratic
    theta = fit.normal.mean + fit.normal.root @ center
    share = plain / plain.sum()
    away = x - share @ x
    design = (away * share[:, None]).T
    slope = np.linalg.solve(design @ away, design @ means).T @ np.linalg.inv(fit.normal.root)
    near = replace(fit, slope=slope, origin=fit.normal.mean, center=share @ means)
    [mean] = near.middle(theta[None])
    integrand.follow(theta, mean, slope)
    given = integrand.given(theta) if points is None else points.nearest(theta, mean)
    normal = DenseNormal(theta, fit.normal.root @ root)
    parts = given.mean, slope, given.variances, given.precision
    if not all(np.isfinite(one).all() for one in (normal.root, *parts[:3])):
        return None
    return MarginalFit(normal, theta, *parts, np.ones(len(given.mean)))


def _quadratic(x: Draws, log_p: Each, plain: Each) -> tuple[Vector, np.ndarray] | None:
    """Return mean and root of the Gaussian whose log density is nearest at the draws."""
    finite, dim = np.isfinite(log_p), x.shape[1]
    x, log_p, plain = x[finite], log_p[finite], plain[finite]
    rows, columns = np.triu_indices(dim)
    design = np.hstack([np.ones((len(x), 1)), x, x[:, rows] * x[:, columns]])
    share = _tempered(log_p + 0.5 * (x**2).sum(axis=1), plain, _EFFECTIVE * design.shape[1])
    if share is None:
        return None
    weight = np.sqrt(share)
    found = np.linalg.lstsq(weight[:, None] * design, weight * log_p, rcond=None)[0]
    slope, curvature = found[1 : dim + 1], np.zeros((dim, dim))
    curvature[rows, columns] = -found[dim + 1 :]
    values, vectors = np.linalg.eigh(curvature + curvature.T)
    values = np.clip(values, 1.0 / _SHARPER, _SHARPER)
    center = vectors @ (vectors.T @ slope / values)
    size = np.linalg.norm(center)
    return center * (_FARTHEST / max(size, _FARTHEST)), vectors / np.sqrt(values)


def _tempered(log_ratios: Each, plain: Each, effective: float) -> Each | None:
    """Weigh draws towards where the density is high, as far as enough of them count."""
    for power in _POWERS:
        weights = plain * np.exp(power * (log_ratios - log_ratios.max()))
        if weights.sum() ** 2 >= effective * (weights**2).sum():
            return weights / weights.sum()
    return None
