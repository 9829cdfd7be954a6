"""Learn from where chains have been the coordinates in which they go on."""

import numpy as np
from jaxtyping import Bool, Float, Int

from taut.chains.coordinates import Composed, Coordinates, Linear
from taut.chains.coupling import couple
from taut.chains.heavy_tails import lighten
from taut.chains.non_centering import conditioned
from taut.gaussian import DenseNormal, Normal, ScaledLowRankNormal
from taut.gradients import AbstractGradients

Draws = Float[np.ndarray, "draws dim"]
Effective = Float[np.ndarray, " dim"]

# Dimensions up to which a matrix of dim x dim is made.
_DENSE = 1000
# Draws that are learnt from; more would take longer than they are worth.
_MOST = 5_000
# Draws of these at which gradients tell what data say of an element.
_ASKED = 1_000
# An eigenvalue has to lie so far outside of what noise alone would give, of its square root.
_CLEAR = 1.05
# How many times more elements than correlated ones there are where no matrix of all is written, and
# the least eigenvalue of the correlations of these.
_MANY, _LEAST = 4, 1e-10


def starting_from(gradients: AbstractGradients, normal: Normal, z: Draws) -> Coordinates:
    """Take apart what the model says is normal given others, and begin with a Gaussian of the rest.

    Parameters
    ----------
    gradients
        Of the log density.
    normal
        The Gaussian that chains began with. It holds what can not be told from few draws, such as
        the correlations of hundreds of neighbours.
    z
        Draws, from which is learnt what data say of what is taken apart.
    """
    known = conditioned(gradients, z[:: -(-len(z) // _ASKED)])
    normal = _believed(normal, z[:: -(-len(z) // _MOST)])
    if known is None:
        return Linear(normal)
    return Composed((known, Linear(_without(normal, known.mask))))


def _believed(normal: Normal, z: Draws) -> Normal:
    """Drop the correlations of a Gaussian where draws are less correlated without it.

    Chains may have gone far from where it was fitted.
    """
    if not isinstance(normal, DenseNormal) or z.shape[1] > _DENSE:
        return normal
    if _correlated(normal.whiten(z)) <= _correlated(z):
        return normal
    # As a matrix still: programs that are compiled serve matrices.
    return DenseNormal.of(normal.mean, np.diag(normal.std**2))


def _correlated(x: Draws) -> float:
    """Sum the squares of the logarithms of the eigenvalues of correlations."""
    values = np.linalg.eigvalsh(np.atleast_2d(np.corrcoef(x.T)))
    return float((np.log(np.maximum(values, _LEAST)) ** 2).sum())


def _without(normal: Normal, mask: Bool[np.ndarray, " dim"]) -> Normal:
    """Make some elements of a Gaussian standard, and independent of the others."""
    mean, std = np.where(mask, 0.0, normal.mean), np.where(mask, 1.0, normal.std)
    if not isinstance(normal, DenseNormal):
        return ScaledLowRankNormal.diagonal(mean, std)
    if _MANY * np.count_nonzero(~mask) <= len(mask):
        return _of_few(mean, std, normal.cov, np.flatnonzero(~mask))
    return DenseNormal.of(mean, np.where(mask | mask[:, None], np.diag(std**2), normal.cov))


def _of_few(
    mean: Effective, std: Effective, cov: Float[np.ndarray, "dim dim"], few: Int[np.ndarray, " few"]
) -> ScaledLowRankNormal:
    """Make a Gaussian of which few elements are correlated, and no others."""
    correlation = cov[np.ix_(few, few)] / np.outer(std[few], std[few])
    values, vectors = np.linalg.eigh(correlation)
    directions = np.zeros((len(mean), len(few)))
    directions[few] = vectors
    return ScaledLowRankNormal(mean, std, directions, np.sqrt(np.maximum(values, _LEAST)))


def adapted(
    begin: Coordinates, visited: Float[np.ndarray, "transitions chains dim"]
) -> Coordinates:
    """Correct coordinates by scales, couplings, and those directions in which more is wrong.

    Parameters
    ----------
    begin
        From `starting_from`.
    visited
        Where the chains have been.
    """
    visited = visited[:: -(-visited.shape[0] * visited.shape[1] // _MOST)]
    x = begin.whiten(visited.reshape(-1, visited.shape[2]))
    effective = effective_draws(x.reshape(visited.shape))
    scales = Linear(ScaledLowRankNormal.diagonal(x.mean(axis=0), np.maximum(x.std(axis=0), 1e-12)))
    parts: list[Coordinates] = [begin, scales]
    if x.shape[1] > _DENSE:
        return Composed(tuple(parts))
    x = scales.whiten(x)
    bent = _bent(x, effective)
    parts += bent
    for part in bent:
        x = part.whiten(x)
    return Composed((*parts, Linear(_directions(x, float(np.median(effective))))))


def _bent(x: Draws, effective: Effective) -> list[Coordinates]:
    """Find heavy tails, and what drives the scale and the place of others.

    Tails of what is driven come from that, and are no others. Those of a driver are made lighter
    where others are the wider the farther out it is, which has an end: that of the spread of
    groups, from where it is far below their noise. In the neck of a funnel they are narrower and
    narrower, and tails are what drives them.
    """
    coupled = couple(x, effective)
    if coupled is None:
        lighter = lighten(x, effective)
        return [] if lighter is None else [lighter]
    toward = np.zeros(x.shape[1])
    toward[coupled.drivers] = np.sign(coupled.slope.sum(axis=1))
    lighter = lighten(x, np.where(toward != 0.0, effective, 0.0), toward)
    if lighter is None:
        return [coupled]
    # What is driven far out in a tail would go as far.
    again = couple(lighter.whiten(x), effective)
    return [lighter] if again is None else [lighter, again]


def effective_draws(x: Float[np.ndarray, "transitions chains dim"]) -> Effective:
    """Estimate how many independent draws the mean of each element is worth.

    From how far the chains' own means are apart, which says so even where chains are too short to
    say it one by one.
    """
    transitions, chains, _ = x.shape
    means = x.mean(axis=0).var(axis=0, ddof=1) / chains
    counts = x.var(axis=(0, 1)) / np.maximum(means, 1e-300)
    return np.clip(counts, chains, transitions * chains)


def _directions(x: Draws, effective: float) -> ScaledLowRankNormal:
    """Keep the eigenvectors of the covariance that noise does not explain.

    Of independent standard normals the eigenvalues of the sample covariance lie within
    :math:`(1 ± sqrt(dim / effective))²` (Marchenko, Pastur).
    """
    mean, cov = x.mean(axis=0), np.atleast_2d(np.cov(x.T))
    values, vectors = np.linalg.eigh(cov)
    roots, noise = np.sqrt(np.maximum(values, 1e-12)), np.sqrt(min(x.shape[1] / effective, 0.95))
    kept = (roots > (1.0 + noise) * _CLEAR) | (roots < (1.0 - noise) / _CLEAR)
    return ScaledLowRankNormal(mean, np.ones(len(mean)), vectors[:, kept], roots[kept])
