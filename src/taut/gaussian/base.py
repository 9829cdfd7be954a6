"""What every Gaussian on the host does; the stages of a fit hand them on to each other."""

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from jaxtyping import Float

from taut.family import HALF_LOG_2PI, AbstractFamily

Vector = Float[np.ndarray, " dim"]
Vectors = Float[np.ndarray, "rows dim"]
Noise = Float[np.ndarray, "rows noise"]
Values = Float[np.ndarray, " rows"]

# Where nothing falls off, spreads double for ever. Sums of squares of draws have to be numbers.
_WIDEST = 1e100


class Normal(ABC):
    r"""A Gaussian by its mean and a root of its covariance.

    .. math:: z = \mu + R x, \quad \Sigma = R R^\top, \quad x \sim \mathcal N(0, I)

    Points, noise and gradients are rows. The root may have more columns than rows: then `whiten`
    returns the shortest noise of a point.
    """

    mean: Vector

    @property
    @abstractmethod
    def log_det(self) -> float:
        r"""Half the log determinant of the covariance, :math:`\log |\det R|` of a square root."""

    @property
    @abstractmethod
    def noise_size(self) -> int:
        """Elements of the noise of a draw."""

    @property
    @abstractmethod
    def std(self) -> Vector:
        """Marginal standard deviations."""

    @abstractmethod
    def color(self, x: Noise) -> Vectors:
        r"""Multiply noise by the root, :math:`R x`; the mean is not added."""

    @abstractmethod
    def pull(self, slopes: Vectors) -> Noise:
        r"""Turn gradients in z into those in x, :math:`R^\top g`."""

    @abstractmethod
    def whiten(self, z: Vectors) -> Noise:
        """Return the noise that `push` turns into these points."""

    @abstractmethod
    def squared_length(self, slope: Vector) -> float:
        r"""Return the squared length of a gradient in the covariance, :math:`g^\top \Sigma g`."""

    @abstractmethod
    def moved(self, mean: Vector, factor: Vector) -> Self:
        """Return one elsewhere, of the same correlations and so many times the marginal std."""

    @abstractmethod
    def family(self, dtype: Any) -> AbstractFamily:
        """Return the same as a family."""

    @abstractmethod
    def _squares(self, x: Noise, away: Vectors) -> Values:
        """Return squared lengths of the shortest noise of what lies so far away from the mean.

        Where the root is square it is `x`, which made `away`.
        """

    @property
    def is_finite(self) -> bool:
        """Whether mean and standard deviations are numbers, and so small that squares are, too."""
        return bool((np.abs(self.mean) < _WIDEST).all() and (self.std < _WIDEST).all())

    def scaled(self, by: float) -> Self:
        """Multiply all standard deviations by a number."""
        return self.moved(self.mean, np.full(len(self.mean), by))

    def push(self, x: Noise) -> tuple[Vectors, Values]:
        """Push standard normal noise forward to draws, with their log density."""
        away = self.color(x)
        return self.mean + away, self._log_density(self._squares(x, away))

    def draw(self, random: np.random.Generator, size: int) -> tuple[Vectors, Values]:
        """Draw points, with their log density."""
        return self.push(random.normal(size=(size, self.noise_size)))

    def log_prob(self, z: Vectors) -> Values:
        """Evaluate the log density at points."""
        return self._log_density((self.whiten(z) ** 2).sum(axis=1))

    def _log_density(self, squares: Values) -> Values:
        return -0.5 * squares - len(self.mean) * HALF_LOG_2PI - self.log_det
