"""Coordinates in which a posterior is nearer to a standard Gaussian, for chains to move in."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Int

from taut.gaussian import Normal

Points = Float[np.ndarray, "points dim"]
Values = Float[np.ndarray, " points"]


class Coordinates(ABC):
    r"""An invertible map from `x`, which is nearly standard normal, to `z`."""

    @abstractmethod
    def push(self, x: Points) -> tuple[Points, Values]:
        """Map points to z, with the log determinant of the map there."""

    @abstractmethod
    def pull(self, x: Points, slopes: Points) -> Points:
        """Turn gradients of a function of z into those, in x, of it plus the log determinant."""

    @abstractmethod
    def whiten(self, z: Points) -> Points:
        """Find the x of points."""


@final
@dataclass(frozen=True)
class Linear(Coordinates):
    """The standard coordinates of a Gaussian.

    Parameters
    ----------
    normal
        The Gaussian.
    """

    normal: Normal

    def push(self, x: Points) -> tuple[Points, Values]:
        return self.normal.mean + self.normal.color(x), np.full(len(x), self.normal.log_det)

    def pull(self, x: Points, slopes: Points) -> Points:
        return self.normal.pull(slopes)

    def whiten(self, z: Points) -> Points:
        return self.normal.whiten(z)


@final
@dataclass(frozen=True)
class Coupled(Coordinates):
    r"""A few elements, the drivers `u`, decide where the others lie and how far they spread.

    .. math:: z_i = c_i^\top (u^2 - 1) + \exp(a_i + b_i^\top u)\, x_i, \quad u = x_D = z_D

    With a log scale as the driver this is the non-centred form of a hierarchical model, as far as
    its data leave room for one; with a curve alone it straightens a banana.

    Parameters
    ----------
    drivers
        Which elements drive; their own coefficients are zero.
    level
        :math:`a`.
    slope, curve
        :math:`b` and :math:`c`, a row for each driver.

    References
    ----------
    Papaspiliopoulos, Roberts, Sköld (2007), A general framework for the parametrization of
    hierarchical models. Dinh, Sohl-Dickstein, Bengio (2017), Density estimation using Real NVP.
    """

    drivers: Int[np.ndarray, " drivers"]
    level: Float[np.ndarray, " dim"]
    slope: Float[np.ndarray, "drivers dim"]
    curve: Float[np.ndarray, "drivers dim"]

    def push(self, x: Points) -> tuple[Points, Values]:
        log_scale = self._log_scale(x)
        return self._centre(x) + x * np.exp(log_scale), log_scale.sum(axis=1)

    def pull(self, x: Points, slopes: Points) -> Points:
        pulled = slopes * np.exp(self._log_scale(x))
        own = 2.0 * x[:, self.drivers] * (slopes @ self.curve.T)
        by_drivers = (pulled * x + 1.0) @ self.slope.T + own
        pulled[:, self.drivers] += by_drivers
        return pulled

    def whiten(self, z: Points) -> Points:
        return (z - self._centre(z)) * np.exp(-self._log_scale(z))

    def _log_scale(self, x: Points) -> Points:
        return self.level + x[:, self.drivers] @ self.slope

    def _centre(self, x: Points) -> Points:
        return (x[:, self.drivers] ** 2 - 1.0) @ self.curve


@final
@dataclass(frozen=True)
class Composed(Coordinates):
    """One map after another.

    Parameters
    ----------
    parts
        The last is applied to x first.
    """

    parts: tuple[Coordinates, ...]

    def push(self, x: Points) -> tuple[Points, Values]:
        log_det = np.zeros(len(x))
        for part in reversed(self.parts):
            x, added = part.push(x)
            log_det = log_det + added
        return x, log_det

    def pull(self, x: Points, slopes: Points) -> Points:
        between = [x]
        for part in reversed(self.parts[1:]):
            between.append(part.push(between[-1])[0])
        for part in self.parts:
            slopes = part.pull(between.pop(), slopes)
        return slopes

    def whiten(self, z: Points) -> Points:
        for part in self.parts:
            z = part.whiten(z)
        return z
