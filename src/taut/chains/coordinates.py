"""Coordinates in which a posterior is nearer to a standard Gaussian, for chains to move in.

They are pytrees, and written for arrays of NumPy and for those that JAX traces alike.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, final

import jax
import numpy as np
from jaxtyping import Float, Int

from taut.gaussian import DenseNormal, Normal, ScaledLowRankNormal

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


def as_pytree[T](cls: type[T]) -> type[T]:
    """Make a pytree of a dataclass, whose fields are its children."""
    names = list(cls.__annotations__)
    return jax.tree_util.register_dataclass(cls, data_fields=names, meta_fields=[])


# The room of host Gaussians does not know JAX.
as_pytree(DenseNormal)
as_pytree(ScaledLowRankNormal)


@final
@jax.tree_util.register_pytree_node_class
class Linear(Coordinates):
    """The standard coordinates of a Gaussian.

    Parameters
    ----------
    normal
        The Gaussian.
    log_det
        Of its root, where that is known.
    """

    def __init__(self, normal: Normal, log_det: Any = None) -> None:
        self.normal, self._log_det = normal, normal.log_det if log_det is None else log_det

    def tree_flatten(self) -> tuple[tuple[Any, ...], None]:
        """Return the children of the pytree."""
        log_det = self._log_det
        # What programs are given is an array; what they trace stays as it is.
        return (self.normal, np.float64(log_det) if isinstance(log_det, float) else log_det), None

    @classmethod
    def tree_unflatten(cls, _: None, children: tuple[Any, ...]) -> "Linear":
        """Return what has such children."""
        return cls(*children)

    def push(self, x: Points) -> tuple[Points, Values]:
        log_det = x.__array_namespace__().full(len(x), self._log_det)
        return self.normal.mean + self.normal.color(x), log_det

    def pull(self, x: Points, slopes: Points) -> Points:
        return self.normal.pull(slopes)

    def whiten(self, z: Points) -> Points:
        return self.normal.whiten(z)


@final
@as_pytree
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
        stretched = x * x.__array_namespace__().exp(log_scale)
        return self._centre(x) + stretched, log_scale.sum(axis=1)

    def pull(self, x: Points, slopes: Points) -> Points:
        xp = x.__array_namespace__()
        pulled = slopes * xp.exp(self._log_scale(x))
        own = 2.0 * x[:, self.drivers] * (slopes @ self.curve.T)
        by_drivers = (pulled * x + 1.0) @ self.slope.T + own
        is_driver = self.drivers[:, None] == np.arange(x.shape[1])
        return pulled + xp.where(is_driver, by_drivers[:, :, None], 0.0).sum(axis=1)

    def whiten(self, z: Points) -> Points:
        return (z - self._centre(z)) * z.__array_namespace__().exp(-self._log_scale(z))

    def _log_scale(self, x: Points) -> Points:
        return self.level + x[:, self.drivers] @ self.slope

    def _centre(self, x: Points) -> Points:
        return (x[:, self.drivers] ** 2 - 1.0) @ self.curve


@final
@as_pytree
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
        first, *others = reversed(self.parts)
        x, log_det = first.push(x)
        for part in others:
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
