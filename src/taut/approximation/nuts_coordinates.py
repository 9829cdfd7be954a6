"""Coordinates in which a posterior like q is nearly standard normal, as NUTS wants one."""

from abc import abstractmethod
from typing import Self, final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Scalar

from taut.arrays import AnyArray
from taut.family import FullRank, Structured

Point = Float[Array, " dim"]

# Log density of a standard normal number at zero, negated.
_HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)


class NutsCoordinates(eqx.Module):
    """A bijection between x, which NUTS moves, and z, the unconstrained space."""

    @abstractmethod
    def push(self, x: Point) -> tuple[Point, Scalar]:
        r"""Compute z, and :math:`\log |\det \partial z / \partial x|`, but for a constant."""

    @abstractmethod
    def pull(self, z: Point) -> Point:
        """Compute the x that is pushed to z."""


@final
class Affine(NutsCoordinates):
    r"""A mass matrix that is the inverse of :math:`R R^\top`.

    .. math:: z = \mu + R x

    Parameters
    ----------
    mean, root
        :math:`\mu` and `R`, a matrix or the elements of a diagonal one.
    """

    mean: Float[AnyArray, " dim"]
    root: Float[AnyArray, "dim dim"] | Float[AnyArray, " dim"]

    def push(self, x: Point) -> tuple[Point, Scalar]:
        moved = self.root * x if jnp.ndim(self.root) == 1 else self.root @ x
        return jnp.add(self.mean, moved), jnp.zeros((), x.dtype)

    def pull(self, z: Point) -> Point:
        away = z - self.mean
        if jnp.ndim(self.root) == 1:
            return away / self.root
        return jnp.linalg.solve(jnp.asarray(self.root), away)


@final
class GivenGlobals(NutsCoordinates):
    r"""Globals by a dense mass matrix, and latents given them, wherever and however wide they are.

    .. math:: \theta = \mu + L x_\theta, \quad u = m(\theta) + D(\theta) H^{-1/2} x_u

    Latents are then nearly standard normal whatever the globals are, as in a non-centred form that
    knows the data.

    Parameters
    ----------
    family
        Tells `m`, `D` and the factored precision `H`.
    outer
        Tells :math:`\mu` and `L`.
    """

    family: Structured
    outer: FullRank

    @classmethod
    def of(cls, family: Structured, dtype: np.dtype) -> Self | None:
        """Take the globals' moments; `None` where they have no covariance, as one particle."""
        cov = np.asarray(family.outer.cov(), float)
        values = np.linalg.eigvalsh(cov) if np.isfinite(cov).all() else np.zeros(1)
        if values[0] <= np.finfo(float).eps * values[-1]:
            return None
        mean = np.asarray(family.outer.mean(), float)
        return cls(family, FullRank.of(mean, np.linalg.cholesky(cov), dtype))

    def push(self, x: Point) -> tuple[Point, Scalar]:
        at = len(self.outer.mu)
        z, log_given = self.family.color_given(self.outer.color(x[:at]), x[at:])
        # The density of what was noise, which q has moved and stretched.
        return z, -0.5 * jnp.sum(x[at:] ** 2) - _HALF_LOG_2PI * (len(x) - at) - log_given

    def pull(self, z: Point) -> Point:
        theta, noise = self.family.whiten_given(z)
        return jnp.concatenate([self.outer.whiten(theta), noise])
