"""The Gaussians along quasi-Newton paths, and the best of them by ELBO."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from taut.gaussian import Normal, ScaledLowRankNormal
from taut.gradients import BLOCK, AbstractGradients, OutOfTime
from taut.modes.lbfgs import PathPoint

# Points of a path that are looked at, and draws at each for a first look.
_LOOKED_AT, _FIRST_DRAWS = 25, 4
# The best by the first look are lucky ones too: these many are looked at again, with more draws.
_AGAIN, _MORE_DRAWS = 16, 16
# Points whose Gaussians are read off together, times dimensions, so that little memory is taken.
_TOGETHER = 10_000
# What it costs a Gaussian, in nats, if all of its draws have no density.
_OUTSIDE = 100.0


@dataclass(frozen=True)
class Candidate:
    """A Gaussian somewhere on a path.

    Parameters
    ----------
    normal
        The Gaussian.
    path
        The number of its path.
    elbo
        Estimated from few draws, in nats.
    """

    normal: Normal
    path: int
    elbo: float


def gaussians_at(points: Sequence[PathPoint]) -> list[Normal | None]:
    r"""Read the Gaussians off iterates: one Newton step from each, with its inverse Hessian.

    The inverse Hessian of limited-memory BFGS is

    .. math:: H = \operatorname{diag}(\alpha) + [\alpha Y, S] \, \Gamma \, [\alpha Y, S]^\top

    which a QR decomposition of dim x 2 memory turns into scales and stretched directions.
    """
    found: list[Normal | None] = [None] * len(points)
    by_memory: dict[int, list[int]] = {}
    for number, point in enumerate(points):
        by_memory.setdefault(len(point.curvature.pairs), []).append(number)
    by_memory.pop(0, None)
    together = max(1, _TOGETHER // len(points[0].position)) if points else 1
    for numbers in by_memory.values():
        for first in range(0, len(numbers), together):
            some = numbers[first : first + together]
            for number, normal in zip(some, _alike([points[i] for i in some]), strict=True):
                found[number] = normal
    return found


@np.errstate(all="ignore")
def _alike(points: list[PathPoint]) -> list[Normal | None]:
    """Read the Gaussians off iterates that know equally many steps."""
    pairs = np.array([point.curvature.pairs for point in points])
    steps, changes = (pairs[:, :, i].swapaxes(1, 2) for i in (0, 1))
    diagonal = np.stack([point.curvature.diagonal for point in points])[:, :, None]
    slope = np.stack([point.slope for point in points])[:, :, None]
    position = np.stack([point.position for point in points])
    wide = np.concatenate([diagonal * changes, steps], axis=2)
    gamma, root = _gammas(steps, changes, diagonal), np.sqrt(diagonal)
    thin = wide / root
    good = np.isfinite(gamma).all(axis=(1, 2)) & np.isfinite(thin).all(axis=(1, 2))
    # What is not finite is decomposed as nothing, and left out.
    q, r = np.linalg.qr(np.where(good[:, None, None], thin, 0.0))
    inner = r @ np.where(good[:, None, None], gamma, 0.0) @ r.swapaxes(1, 2)
    good &= np.isfinite(inner).all(axis=(1, 2))
    inner = np.where(good[:, None, None], 0.5 * (inner + inner.swapaxes(1, 2)), 0.0)
    values, vectors = np.linalg.eigh(np.eye(inner.shape[1]) + inner)
    mean = position + (diagonal * slope + wide @ (gamma @ (wide.swapaxes(1, 2) @ slope)))[..., 0]
    good &= (values > 0).all(axis=1) & np.isfinite(mean).all(axis=1)
    directions, stretch = q @ vectors, np.sqrt(values)
    made = zip(mean, root[:, :, 0], directions, stretch, strict=True)
    return [
        ScaledLowRankNormal(*parts) if is_good else None
        for parts, is_good in zip(made, good, strict=True)
    ]


def _gammas(
    steps: Float[np.ndarray, "points dim memory"],
    changes: Float[np.ndarray, "points dim memory"],
    diagonal: Float[np.ndarray, "points dim 1"],
) -> Float[np.ndarray, "points both both"]:
    upper = np.triu(steps.swapaxes(1, 2) @ changes)
    along = np.diagonal(upper, axis1=1, axis2=2)
    # An inverse exists where no step and its change are orthogonal.
    exists = (np.isfinite(upper).all(axis=(1, 2)) & (along != 0).all(axis=1))[:, None, None]
    eye = np.eye(upper.shape[1])
    inverse = np.where(exists, np.linalg.inv(np.where(exists, upper, eye)), np.nan)
    middle = along[:, None] * eye + changes.swapaxes(1, 2) @ (diagonal * changes)
    turned = inverse.swapaxes(1, 2)
    return np.block([[np.zeros(upper.shape), -inverse], [-turned, turned @ middle @ inverse]])


def best_of_paths(
    gradients: AbstractGradients, paths: list[list[PathPoint]], random: np.random.Generator
) -> list[Candidate]:
    """Find the best Gaussian of each path, the best path first; paths without one are left out.

    Where there is no time to compare them it is the one at the end of each path, and its ELBO is
    not known.
    """
    asked = [(number, p) for number, points in enumerate(paths) for p in _spread(points)]
    read = gaussians_at([point for _, point in asked])
    both = zip((number for number, _ in asked), read, strict=True)
    found = [(number, normal) for number, normal in both if normal is not None]
    if not found:
        return []
    try:
        elbos = _compared(gradients, [normal for _, normal in found], random)
    except OutOfTime:
        last = {number: Candidate(normal, number, -np.inf) for number, normal in found}
        return sorted(last.values(), key=lambda c: -paths[c.path][-1].value)
    best: dict[int, Candidate] = {}
    for (number, normal), elbo in zip(found, elbos, strict=True):
        if np.isfinite(elbo) and (number not in best or elbo > best[number].elbo):
            best[number] = Candidate(normal, number, float(elbo))
    return sorted(best.values(), key=lambda candidate: -candidate.elbo)


def _compared(
    gradients: AbstractGradients, normals: list[Normal], random: np.random.Generator
) -> Float[np.ndarray, " normals"]:
    """Estimate the ELBO of each Gaussian by few draws, and those of the best by more."""
    elbos = elbos_of(gradients, normals, random, _FIRST_DRAWS)
    again = [i for i in np.argsort(-elbos)[:_AGAIN] if np.isfinite(elbos[i])]
    elbos[again] = elbos_of(gradients, [normals[i] for i in again], random, _MORE_DRAWS)
    return elbos


def _spread(points: list[PathPoint]) -> list[PathPoint]:
    if len(points) <= _LOOKED_AT:
        return points
    return [points[i] for i in np.unique(np.linspace(0, len(points) - 1, _LOOKED_AT).astype(int))]


def elbos_of(
    gradients: AbstractGradients, normals: list[Normal], random: np.random.Generator, draws: int
) -> Float[np.ndarray, " normals"]:
    """Estimate the ELBO of each Gaussian, in nats; minus infinity where no draw has a density.

    Draws without a density cost a fixed loss, so that among Gaussians that reach over an edge the
    one that does so least is found.
    """
    weights = np.empty((len(normals), draws))
    # As many at once as fill a block: draws of all of them need not be in memory together.
    few = max(1, BLOCK // draws)
    for first in range(0, len(normals), few):
        drawn = [normal.draw(random, draws) for normal in normals[first : first + few]]
        values, _ = gradients(np.concatenate([z for z, _ in drawn]))
        log_q = np.stack([log_q for _, log_q in drawn])
        weights[first : first + few] = values.reshape(-1, draws) - log_q
    finite = np.isfinite(weights)
    inside = np.where(finite, weights, 0.0).sum(axis=1) / np.maximum(finite.sum(axis=1), 1)
    elbos = inside - _OUTSIDE * (1.0 - finite.mean(axis=1))
    return np.where(finite.any(axis=1), elbos, -np.inf)
