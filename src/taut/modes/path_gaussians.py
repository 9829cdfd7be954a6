"""The Gaussians along quasi-Newton paths, and the best of them by ELBO."""

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


@np.errstate(all="ignore")
def gaussian_at(point: PathPoint) -> Normal | None:
    r"""Read the Gaussian off an iterate: one Newton step from it, with its inverse Hessian.

    The inverse Hessian of limited-memory BFGS is

    .. math:: H = \operatorname{diag}(\alpha) + [\alpha Y, S] \, \Gamma \, [\alpha Y, S]^\top

    which a QR decomposition of dim x 2 memory turns into scales and stretched directions.
    """
    curvature = point.curvature
    if not curvature.pairs:
        return None
    steps, changes = (np.stack(part, axis=1) for part in zip(*curvature.pairs, strict=True))
    with np.errstate(all="ignore"):
        root = np.sqrt(curvature.diagonal)
        wide = np.concatenate([curvature.diagonal[:, None] * changes, steps], axis=1)
        gamma = _gamma(steps, changes, curvature.diagonal)
        if gamma is None or not np.isfinite(gamma).all():
            return None
        q, r = np.linalg.qr(wide / root[:, None])
        inner = r @ gamma @ r.T
        values, vectors = np.linalg.eigh(np.eye(len(inner)) + 0.5 * (inner + inner.T))
    if not values.min() > 0:
        return None
    mean = point.position + curvature.diagonal * point.slope
    mean = mean + wide @ (gamma @ (wide.T @ point.slope))
    if not np.isfinite(mean).all():
        return None
    return ScaledLowRankNormal(mean, root, q @ vectors, np.sqrt(values))


def _gamma(
    steps: Float[np.ndarray, "dim memory"],
    changes: Float[np.ndarray, "dim memory"],
    diagonal: Float[np.ndarray, " dim"],
) -> np.ndarray | None:
    memory = steps.shape[1]
    upper = np.triu(steps.T @ changes)
    try:
        inverse = np.linalg.inv(upper)
    except np.linalg.LinAlgError:
        return None
    middle = np.diag(np.diag(upper)) + changes.T @ (diagonal[:, None] * changes)
    return np.block(
        [[np.zeros((memory, memory)), -inverse], [-inverse.T, inverse.T @ middle @ inverse]]
    )


def best_of_paths(
    gradients: AbstractGradients, paths: list[list[PathPoint]], random: np.random.Generator
) -> list[Candidate]:
    """Find the best Gaussian of each path, the best path first; paths without one are left out.

    Where there is no time to compare them it is the one at the end of each path, and its ELBO is
    not known.
    """
    found = [
        (number, normal)
        for number, points in enumerate(paths)
        for point in _spread(points)
        if (normal := gaussian_at(point)) is not None
    ]
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
