"""A Gaussian on the host with a dense root."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, final

import numpy as np
import scipy
from jaxtyping import Float

from taut.family import FullRank
from taut.gaussian.base import Noise, Normal, Values, Vector, Vectors

Square = Float[np.ndarray, "dim dim"]
# Eigenvalues are lifted to this share of the largest, and a largest of zero to this.
_LEAST, _NOTHING = 1e-10, 1e-300


@final
@dataclass(frozen=True)
class DenseNormal(Normal):
    r"""A Gaussian by a dense square root of its covariance, which need not be triangular.

    Products of roots keep a covariance positive definite where sums of matrices lose it, and in
    the coordinates of the noise no problem is badly conditioned.

    Parameters
    ----------
    mean
        Its mean.
    root
        :math:`R`.
    known_log_det
        Logarithm of the root's determinant in size, where that is known; else it is computed.
    """

    mean: Vector
    root: Square
    known_log_det: float | None = None

    @classmethod
    def of(cls, mean: Vector, cov: Square) -> Self:
        """Factor a covariance; one that is not positive definite is made so."""
        return cls(np.asarray(mean), cholesky(cov))

    @property
    def log_det(self) -> float:
        return self._log_det

    @property
    def noise_size(self) -> int:
        return len(self.mean)

    @property
    def std(self) -> Vector:
        return np.sqrt((self.root**2).sum(axis=1))

    @property
    def cov(self) -> Square:
        """The covariance."""
        return self.root @ self.root.T

    def color(self, x: Noise) -> Vectors:
        return x @ self.root.T

    def pull(self, slopes: Vectors) -> Noise:
        return slopes @ self.root

    def whiten(self, z: Vectors) -> Noise:
        away = (z - self.mean).T
        if self._is_triangle:
            return scipy.linalg.solve_triangular(self.root, away, lower=True).T
        return np.linalg.solve(self.root, away).T

    def squared_length(self, slope: Vector) -> float:
        return float(np.sum((slope @ self.root) ** 2))

    def moved(self, mean: Vector, factor: Vector) -> Self:
        return type(self)(mean, factor[:, None] * self.root)

    def family(self, dtype: Any) -> FullRank:
        return FullRank.of(self.mean, self.triangular().root, dtype)

    def triangular(self) -> "DenseNormal":
        """Return the same with a Cholesky factor for its root, by an orthogonal reduction."""
        return self if self._is_triangle else DenseNormal(self.mean, triangle(self.root.T))

    def changed(
        self,
        basis: Float[np.ndarray, "dim few"] | None,
        step: Float[np.ndarray, " few"],
        root: Float[np.ndarray, "few few"],
    ) -> "DenseNormal":
        """Return what has this mean and root in the coordinates of the noise.

        With a basis of a few directions, outside of which nothing changes, this costs
        O(dim² · few).
        """
        log_det = self.log_det + float(np.linalg.slogdet(root)[1])
        if basis is None:
            return DenseNormal(self.mean + self.root @ step, self.root @ root, log_det)
        along = self.root @ basis
        whole = self.root + (along @ (root - np.eye(len(root)))) @ basis.T
        return DenseNormal(self.mean + along @ step, whole, log_det)

    def _squares(self, x: Noise, away: Vectors) -> Values:
        return (x**2).sum(axis=1)

    @cached_property
    def _log_det(self) -> float:
        if self.known_log_det is not None:
            return self.known_log_det
        if self._is_triangle:
            return float(np.log(np.diag(self.root)).sum())
        return float(np.linalg.slogdet(self.root)[1])

    @cached_property
    def _is_triangle(self) -> bool:
        """Whether the root is a Cholesky factor."""
        return bool((np.diag(self.root) > 0).all() and not np.triu(self.root, 1).any())


def as_dense(normal: Normal) -> DenseNormal:
    """Write a Gaussian out with a Cholesky factor; its covariance is never formed."""
    if isinstance(normal, DenseNormal):
        return normal.triangular()
    return DenseNormal(normal.mean, triangle(normal.color(np.eye(normal.noise_size))))


def triangle(rows: Float[np.ndarray, "rows dim"]) -> Square:
    """Find the Cholesky factor of the sum of the rows' outer products: O(rows · dim²)."""
    upper = np.linalg.qr(rows, mode="r")
    return (upper * np.where(np.diag(upper) < 0, -1.0, 1.0)[:, None]).T


def cholesky(cov: Square) -> Square:
    """Factor a matrix that should be positive definite; lift eigenvalues where it is not."""
    symmetric = 0.5 * (cov + cov.T)
    try:
        return np.linalg.cholesky(symmetric)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(symmetric)
        lifted = np.maximum(values, _LEAST * max(values.max(), _NOTHING))
        return np.linalg.cholesky((vectors * lifted) @ vectors.T)
