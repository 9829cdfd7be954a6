"""A Gaussian on the host whose covariance is a diagonal and a few directions."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, final

import numpy as np
from jaxtyping import Float

from taut.family import LowRank, inverse_softplus
from taut.gaussian.base import Noise, Normal, Values, Vector, Vectors
from taut.gaussian.scaled_low_rank import ScaledLowRankNormal

Columns = Float[np.ndarray, "dim few"]


@final
@dataclass(frozen=True)
class LowRankNormal(Normal):
    r"""A Gaussian with covariance :math:`\Psi + F F^\top`, and no array of dim x dim.

    .. math:: z = \mu + \Psi^{1/2} x_1 + F x_2

    Parameters
    ----------
    mean
        Its mean.
    diagonal
        The variances :math:`\Psi`.
    factor
        The directions `F`.
    """

    mean: Vector
    diagonal: Vector
    factor: Columns

    @property
    def log_det(self) -> float:
        log_scale = np.log(np.sqrt(self.diagonal)).sum()
        return float(log_scale + 0.5 * np.linalg.slogdet(self._inner)[1])

    @property
    def noise_size(self) -> int:
        return len(self.mean) + self.factor.shape[1]

    @property
    def std(self) -> Vector:
        return np.sqrt(self.diagonal + np.sum(self.factor**2, axis=1))

    def color(self, x: Noise) -> Vectors:
        dim = len(self.mean)
        return x[:, :dim] * np.sqrt(self.diagonal) + x[:, dim:] @ self.factor.T

    def pull(self, slopes: Vectors) -> Noise:
        return np.hstack([slopes * np.sqrt(self.diagonal), slopes @ self.factor])

    def whiten(self, z: Vectors) -> Noise:
        # The shortest noise is R' times the inverse covariance, by Woodbury, times the distance.
        scaled = (z - self.mean) / self.diagonal
        inner = np.linalg.solve(self._inner, (scaled @ self.factor).T).T
        return self.pull(scaled - inner @ self.factor.T / self.diagonal)

    def squared_length(self, slope: Vector) -> float:
        return float(slope**2 @ self.diagonal + np.sum((slope @ self.factor) ** 2))

    def moved(self, mean: Vector, factor: Vector) -> Self:
        return type(self)(mean, self.diagonal * factor**2, factor[:, None] * self.factor)

    def family(self, dtype: Any) -> LowRank:
        rho = inverse_softplus(np.sqrt(self.diagonal))
        return LowRank(self.mean.astype(dtype), rho.astype(dtype), self.factor.astype(dtype))

    def times(self, vector: Vector) -> Vector:
        """Multiply by the covariance."""
        return self.diagonal * vector + self.factor @ (vector @ self.factor)

    def squared(self) -> ScaledLowRankNormal:
        """Return the same by a square root, whose noise has as many elements as z."""
        return ScaledLowRankNormal.of(self.mean, self.diagonal, self.factor)

    def _squares(self, x: Noise, away: Vectors) -> Values:
        along = (away / self.diagonal) @ self.factor
        square = np.sum(away**2 / self.diagonal, axis=1)
        return square - np.sum(along * np.linalg.solve(self._inner, along.T).T, axis=1)

    @cached_property
    def _inner(self) -> Float[np.ndarray, "few few"]:
        identity = np.eye(self.factor.shape[1])
        return identity + self.factor.T @ (self.factor / self.diagonal[:, None])
