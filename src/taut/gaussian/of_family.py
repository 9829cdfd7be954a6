"""Gaussian families, as Gaussians on the host."""

import numpy as np

from taut.family import AbstractFamily, Blocks, Diagonal, Factor, HostGaussian, Stretch, Triangle
from taut.gaussian.base import Normal
from taut.gaussian.dense import DenseNormal, as_dense
from taut.gaussian.low_rank import LowRankNormal
from taut.gaussian.scaled_low_rank import ScaledLowRankNormal

# Directions of single precision that are orthonormal are so up to this.
_ORTHONORMAL = 1e-5


def as_normal(family: AbstractFamily) -> Normal | None:
    """Read a Gaussian family, in its own precision; `None` for any other."""
    host = family.on_host()
    return of_host(host) if isinstance(host, HostGaussian) else None


def of_host(host: HostGaussian) -> Normal:
    """Make the Gaussian of a mean and a root."""
    match host.root:
        case Diagonal(scale):
            return ScaledLowRankNormal.diagonal(host.mean, scale)
        case Triangle(cholesky):
            return DenseNormal(host.mean, cholesky)
        case Factor(scale, factor):
            return LowRankNormal(host.mean, scale**2, factor)
        case Stretch() as root:
            return _stretched(host.mean, root)
        case Blocks() as root:
            return _joined(host.mean, root)


def _stretched(mean: np.ndarray, root: Stretch) -> ScaledLowRankNormal:
    """Find orthonormal directions, if these are not."""
    directions, gram = root.directions, root.directions.T @ root.directions
    if np.allclose(gram, np.eye(len(gram)), rtol=0.0, atol=_ORTHONORMAL):
        return ScaledLowRankNormal(mean, root.scale, directions, 1.0 + root.stretch)
    basis, upper = np.linalg.qr(directions)
    values, vectors = np.linalg.eigh((upper * root.stretch) @ upper.T)
    # A direction that is turned round has the same covariance.
    return ScaledLowRankNormal(mean, root.scale, basis @ vectors, np.abs(1.0 + values))


def _joined(mean: np.ndarray, root: Blocks) -> DenseNormal:
    """Write out the root of independent parts."""
    whole = np.zeros((len(mean), len(mean)), mean.dtype)
    for part, index in zip(root.parts, root.indices, strict=True):
        whole[np.ix_(index, index)] = as_dense(of_host(part)).root
    return DenseNormal(mean, whole)
