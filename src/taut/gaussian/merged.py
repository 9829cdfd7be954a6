"""A Gaussian seen from within, and changed in the few directions that a batch of draws spans."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float

from taut.family import HALF_LOG_2PI, FullRank, inverse_softplus

Vectors = Float[np.ndarray, "draws dim"]


@dataclass(frozen=True)
class Gaussian:
    r"""A Gaussian by a square root of its covariance, which need not be triangular.

    .. math:: z = \mu + A \epsilon, \quad \Sigma = A A^\top, \quad \epsilon \sim \mathcal N(0, I)

    Products of roots keep a covariance positive definite where sums of matrices lose it, and in
    the coordinates of :math:`\epsilon` no problem is badly conditioned.

    Parameters
    ----------
    mean, root
        In the unconstrained space.
    log_det
        Of the root.
    """

    mean: Float[np.ndarray, " dim"]
    root: Float[np.ndarray, "dim dim"]
    log_det: float

    @classmethod
    def of(cls, mean: Float[np.ndarray, " dim"], cov: Float[np.ndarray, "dim dim"]) -> Self:
        """Make the one with these moments; the covariance has to be positive definite."""
        root = np.linalg.cholesky(cov)
        return cls(np.asarray(mean, float), root, float(np.log(np.diag(root)).sum()))

    @property
    def cov(self) -> Float[np.ndarray, "dim dim"]:
        return self.root @ self.root.T

    @property
    def noise_size(self) -> int:
        return len(self.mean)

    @property
    def is_finite(self) -> bool:
        return bool(np.isfinite(self.root).all() and np.isfinite(self.mean).all())

    def pull(self, slope: Float[np.ndarray, " dim"]) -> float:
        """Measure a gradient in the covariance."""
        return float(np.sum((slope @ self.root) ** 2))

    def push(self, noise: Vectors) -> tuple[Vectors, Float[np.ndarray, " draws"]]:
        """Push standard normal noise forward to draws and their log densities."""
        log_q = -0.5 * np.sum(noise**2, axis=1) - noise.shape[1] * HALF_LOG_2PI - self.log_det
        return self.mean + noise @ self.root.T, log_q

    def scaled(self, by: float) -> "Gaussian":
        """Scale the standard deviations."""
        return Gaussian(self.mean, self.root * by, self.log_det + len(self.mean) * np.log(by))

    def changed(
        self,
        basis: Float[np.ndarray, "dim few"] | None,
        step: Float[np.ndarray, " few"],
        root: Float[np.ndarray, "few few"],
    ) -> "Gaussian":
        """Become what has this mean and root in the coordinates of the noise.

        With a basis of a few directions, outside of which nothing changes, this costs
        O(dim² · few).
        """
        log_det = self.log_det + float(np.linalg.slogdet(root)[1])
        if basis is None:
            return Gaussian(self.mean + self.root @ step, self.root @ root, log_det)
        along = self.root @ basis
        whole = self.root + (along @ (root - np.eye(len(root)))) @ basis.T
        return Gaussian(self.mean + along @ step, whole, log_det)

    def family(self, dtype: str) -> FullRank:
        """Make the family, whose Cholesky factor comes from an orthogonal reduction: O(dim³)."""
        upper = np.linalg.qr(self.root.T, mode="r")
        upper = upper * np.where(np.diag(upper) < 0, -1.0, 1.0)[:, None]
        factor = np.tril(upper.T, -1) + np.diag(inverse_softplus(np.diag(upper)))
        return FullRank(self.mean.astype(dtype), factor.astype(dtype))


def span(vectors: Vectors) -> Float[np.ndarray, "dim few"] | None:
    """Find an orthonormal basis of what some vectors span; `None` where that may be everything."""
    if len(vectors) >= vectors.shape[1]:
        return None
    # Of one length, so that short vectors are not lost beside long ones.
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.linalg.qr((vectors / np.where(length > 0, length, 1.0)).T)[0]


def within(
    basis: Float[np.ndarray, "dim few"] | None, vectors: Float[np.ndarray, "*draws dim"]
) -> Float[np.ndarray, "*draws few"]:
    """Give the coordinates of vectors in a basis."""
    return vectors if basis is None else vectors @ basis
