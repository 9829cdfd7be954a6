"""A Gaussian on the host with scales, stretched along a few directions."""

from dataclasses import dataclass, replace
from typing import Any, Self, final

import numpy as np
from jaxtyping import Float

from taut.family import ScaledLowRank
from taut.gaussian.base import Noise, Normal, Values, Vector, Vectors


@final
@dataclass(frozen=True)
class ScaledLowRankNormal(Normal):
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
    def diagonal(cls, mean: Vector, std: Vector) -> Self:
        """Make one without directions."""
        return cls(mean, std, np.empty((len(mean), 0), mean.dtype), np.empty(0, mean.dtype))

    @classmethod
    def of(cls, mean: Vector, variances: Vector, factor: Float[np.ndarray, "dim rank"]) -> Self:
        r"""Write a diagonal of variances plus a few directions in this form.

        .. math:: \Psi + F F^\top = \Psi^{1/2} (I + U S^2 U^\top) \Psi^{1/2}
        """
        scale = np.sqrt(variances)
        directions, sizes, _ = np.linalg.svd(factor / scale[:, None], full_matrices=False)
        return cls(mean, scale, directions, np.sqrt(1.0 + sizes**2))

    @property
    def log_det(self) -> float:
        return float(np.log(self.scale).sum() + np.log(self.stretch).sum())

    @property
    def noise_size(self) -> int:
        return len(self.mean)

    @property
    def std(self) -> Vector:
        return self.scale * np.sqrt(1.0 + (self.directions**2 * (self.stretch**2 - 1)).sum(axis=1))

    def color(self, x: Noise) -> Vectors:
        return self.scale * self._along(x, self.stretch - 1.0)

    def pull(self, slopes: Vectors) -> Noise:
        return self._along(self.scale * slopes, self.stretch - 1.0)

    def whiten(self, z: Vectors) -> Noise:
        return self._along((z - self.mean) / self.scale, 1.0 / self.stretch - 1.0)

    def squared_length(self, slope: Vector) -> float:
        return float(np.sum(self.pull(slope[None]) ** 2))

    def moved(self, mean: Vector, factor: Vector) -> Self:
        return replace(self, mean=mean, scale=factor * self.scale)

    def family(self, dtype: Any) -> ScaledLowRank:
        parts = self.mean, np.log(self.scale), self.directions, self.stretch - 1.0
        return ScaledLowRank(*(part.astype(dtype) for part in parts))

    def _squares(self, x: Noise, away: Vectors) -> Values:
        return (x**2).sum(axis=1)

    def _along(self, x: Vectors, weights: np.ndarray) -> Vectors:
        return x + ((x @ self.directions) * weights) @ self.directions.T
