"""What NumPy needs of a family: a mean and a root, or points. `taut.gaussian` works with it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

Vector = Float[np.ndarray, " dim"]
Columns = Float[np.ndarray, "dim few"]


@dataclass(frozen=True)
class Diagonal:
    """The root of independent elements: their standard deviations."""

    scale: Vector


@dataclass(frozen=True)
class Triangle:
    """A Cholesky factor."""

    cholesky: Float[np.ndarray, "dim dim"]


@dataclass(frozen=True)
class Factor:
    r"""A diagonal with a few directions beside it, :math:`(\operatorname{diag}(\sigma), F)`."""

    scale: Vector
    factor: Columns


@dataclass(frozen=True)
class Stretch:
    r"""Scales and a stretch, :math:`\operatorname{diag}(\sigma) (I + U h U^\top)`."""

    scale: Vector
    directions: Columns
    stretch: Float[np.ndarray, " few"]


@dataclass(frozen=True)
class HostGaussian:
    """A Gaussian by its mean and a root of its covariance.

    Parameters
    ----------
    mean
        Its mean.
    root
        In one of the forms that roots have.
    """

    mean: Vector
    root: "Diagonal | Triangle | Factor | Stretch | Blocks"

    @property
    def is_diagonal(self) -> bool:
        """Whether its elements are independent."""
        if isinstance(self.root, Blocks):
            return all(part.is_diagonal for part in self.root.parts)
        return isinstance(self.root, Diagonal)


@dataclass(frozen=True)
class Blocks:
    """Roots of independent parts, each with the places of its elements."""

    parts: tuple[HostGaussian, ...]
    indices: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class HostPoints:
    """Points, each as likely as the other."""

    points: Float[np.ndarray, "points dim"]

    def push(
        self, noise: Int[np.ndarray, " draws"]
    ) -> tuple[Float[np.ndarray, "draws dim"], Float[np.ndarray, " draws"]]:
        """Pick points by their numbers; there is no density."""
        return self.points[noise], np.full(len(noise), np.nan, self.points.dtype)


def softplus(rho: Any) -> np.ndarray:
    """Compute the scale that `inverse_softplus` inverts, in its own precision."""
    rho = np.asarray(rho)
    return np.logaddexp(np.zeros((), rho.dtype), rho)
