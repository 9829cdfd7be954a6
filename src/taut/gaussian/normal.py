"""Gaussians on the host, which the stages of a fit hand on to each other."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.linalg import solve_triangular

from taut.family import (
    HALF_LOG_2PI,
    AbstractFamily,
    FullRank,
    MeanField,
    Stretched,
    inverse_softplus,
)

Vector = Float[np.ndarray, " dim"]
Matrix = Float[np.ndarray, "rows dim"]


class Normal(ABC):
    r"""A Gaussian as its mean and a root of its covariance: :math:`z = \mu + R x`."""

    mean: Vector

    @property
    @abstractmethod
    def log_det(self) -> float:
        """Logarithm of the root's determinant."""

    @property
    @abstractmethod
    def std(self) -> Vector:
        """Marginal standard deviations."""

    @abstractmethod
    def colour(self, x: Matrix) -> Matrix:
        """Multiply rows by the root."""

    @abstractmethod
    def pull(self, slopes: Matrix) -> Matrix:
        """Multiply rows by the root's transpose: gradients in z become those in x."""

    @abstractmethod
    def whiten(self, z: Matrix) -> Matrix:
        """Find the x of rows of z."""

    @abstractmethod
    def moved(self, mean: Vector, factor: Vector) -> "Normal":
        """Give one elsewhere, of the same correlations and so many times the marginal std."""

    @abstractmethod
    def family(self, dtype: Any) -> AbstractFamily:
        """Give the same as a family."""

    def log_prob(self, z: Matrix) -> Float[np.ndarray, " rows"]:
        """Evaluate the log density at rows."""
        return self._log_prob_of(self.whiten(z))

    def draw(
        self, random: np.random.Generator, size: int
    ) -> tuple[Matrix, Float[np.ndarray, " rows"]]:
        """Draw points, with their log density."""
        return self.push(random.normal(size=(size, len(self.mean))))

    def push(self, x: Matrix) -> tuple[Matrix, Float[np.ndarray, " rows"]]:
        """Turn rows of standard normal noise into draws, with their log density."""
        return self.mean + self.colour(x), self._log_prob_of(x)

    def _log_prob_of(self, x: Matrix) -> Float[np.ndarray, " rows"]:
        return -0.5 * (x**2).sum(axis=1) - len(self.mean) * HALF_LOG_2PI - self.log_det


@dataclass(frozen=True)
class Dense(Normal):
    """A Gaussian with a Cholesky factor.

    Parameters
    ----------
    mean
        Its mean.
    cholesky
        Lower triangle; its product with its transpose is the covariance.
    """

    mean: Vector
    cholesky: Float[np.ndarray, "dim dim"]

    @classmethod
    def of(cls, mean: Vector, cov: Float[np.ndarray, "dim dim"]) -> "Dense":
        """Factor a covariance; one that is not positive definite is made so."""
        return cls(np.asarray(mean), cholesky(cov))

    @property
    def log_det(self) -> float:
        return float(np.log(np.diag(self.cholesky)).sum())

    @property
    def std(self) -> Vector:
        return np.sqrt((self.cholesky**2).sum(axis=1))

    @property
    def cov(self) -> Float[np.ndarray, "dim dim"]:
        """The covariance."""
        return self.cholesky @ self.cholesky.T

    def colour(self, x: Matrix) -> Matrix:
        return x @ self.cholesky.T

    def pull(self, slopes: Matrix) -> Matrix:
        return slopes @ self.cholesky

    def whiten(self, z: Matrix) -> Matrix:
        return solve_triangular(self.cholesky, (z - self.mean).T, lower=True).T

    def moved(self, mean: Vector, factor: Vector) -> Normal:
        return replace(self, mean=mean, cholesky=factor[:, None] * self.cholesky)

    def family(self, dtype: Any) -> AbstractFamily:
        diagonal = inverse_softplus(np.diag(self.cholesky))
        factor = np.tril(self.cholesky, -1) + np.diag(diagonal)
        return FullRank(self.mean.astype(dtype), factor.astype(dtype))


@dataclass(frozen=True)
class Structured(Normal):
    r"""A Gaussian with scales, and a stretch along a few orthonormal directions.

    .. math:: z = \mu + \sigma \odot (x + U ((h - 1) \odot U^\top x))

    Parameters
    ----------
    mean, scale
        Of each element.
    directions
        :math:`U`, one a column.
    stretch
        :math:`h` > 0; 1 leaves a direction as it is.
    """

    mean: Vector
    scale: Vector
    directions: Float[np.ndarray, "dim rank"]
    stretch: Float[np.ndarray, " rank"]

    @classmethod
    def diagonal(cls, mean: Vector, std: Vector) -> "Structured":
        """Make one without directions."""
        return cls(mean, std, np.empty((len(mean), 0), mean.dtype), np.empty(0, mean.dtype))

    @property
    def log_det(self) -> float:
        return float(np.log(self.scale).sum() + np.log(self.stretch).sum())

    @property
    def std(self) -> Vector:
        return self.scale * np.sqrt(1.0 + (self.directions**2 * (self.stretch**2 - 1)).sum(axis=1))

    def colour(self, x: Matrix) -> Matrix:
        return self.scale * self._along(x, self.stretch - 1.0)

    def pull(self, slopes: Matrix) -> Matrix:
        return self._along(self.scale * slopes, self.stretch - 1.0)

    def whiten(self, z: Matrix) -> Matrix:
        return self._along((z - self.mean) / self.scale, 1.0 / self.stretch - 1.0)

    def dense(self) -> Dense:
        """Write the covariance out."""
        root = self.colour(np.eye(len(self.mean)))
        return Dense.of(self.mean, root.T @ root)

    def moved(self, mean: Vector, factor: Vector) -> Normal:
        return replace(self, mean=mean, scale=factor * self.scale)

    def family(self, dtype: Any) -> AbstractFamily:
        parts = self.mean, np.log(self.scale), self.directions, self.stretch - 1.0
        return Stretched(*(part.astype(dtype) for part in parts))

    def _along(self, x: Matrix, weights: np.ndarray) -> Matrix:
        return x + ((x @ self.directions) * weights) @ self.directions.T


def structured(mean: Vector, diagonal: Vector, factor: Float[np.ndarray, "dim rank"]) -> Structured:
    r"""Write a diagonal of variances plus a few directions as scales and stretched directions.

    .. math:: \Psi + F F^\top = \Psi^{1/2} (I + U S^2 U^\top) \Psi^{1/2}
    """
    scale = np.sqrt(diagonal)
    directions, sizes, _ = np.linalg.svd(factor / scale[:, None], full_matrices=False)
    return Structured(mean, scale, directions, np.sqrt(1.0 + sizes**2))


def cholesky(cov: Float[np.ndarray, "dim dim"]) -> Float[np.ndarray, "dim dim"]:
    """Factor a matrix that should be positive definite; lift eigenvalues where it is not."""
    symmetric = 0.5 * (cov + cov.T)
    try:
        return np.linalg.cholesky(symmetric)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(symmetric)
        lifted = np.maximum(values, 1e-10 * max(values.max(), 1e-300))
        return np.linalg.cholesky((vectors * lifted) @ vectors.T)


def as_normal(family: AbstractFamily) -> Normal | None:
    """Read a dense or diagonal Gaussian family; `None` for any other."""
    if isinstance(family, FullRank):
        scale = _softplus(np.diagonal(family.factor))
        return Dense(np.asarray(family.mu), np.tril(family.factor, -1) + np.diag(scale))
    if isinstance(family, MeanField):
        return Structured.diagonal(np.asarray(family.mu), _softplus(family.rho))
    return None


def _softplus(rho: Any) -> np.ndarray:
    rho = np.asarray(rho)
    return np.logaddexp(np.zeros((), rho.dtype), rho)
