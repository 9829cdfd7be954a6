"""Where latents are, and how wide, given a few global unknowns."""

from abc import abstractmethod
from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from taut.arrays import AnyArray
from taut.family.base import AbstractFamily

Globals = Float[Array, " globals"]
Latents = Float[Array, " latents"]


class AbstractConditional(eqx.Module):
    r"""Means and scales of latents as functions of the global unknowns.

    .. math:: u \mid \theta \sim \mathcal N\bigl(m(\theta), \; D(\theta) H^{-1} D(\theta)\bigr)

    with a precision `H` that is known elsewhere, and a diagonal `D`.
    """

    @abstractmethod
    def parameters(self) -> dict[str, AnyArray]:
        """Return the parameters under the names a user reads them by."""

    @abstractmethod
    def mean(self, theta: Globals) -> Latents:
        r"""Return :math:`m(\theta)`."""

    @abstractmethod
    def scale(self, theta: Globals) -> Latents | None:
        r"""Return the diagonal of :math:`D(\theta)`; `None` for ones."""

    @abstractmethod
    def average(self, outer: AbstractFamily) -> Latents:
        r"""Return the average of the means over :math:`\theta`."""

    @abstractmethod
    def root(self, outer: AbstractFamily) -> Float[Array, "latents rank"]:
        r"""Return a root of the means' covariance over :math:`\theta`."""

    @abstractmethod
    def covariance(self, outer: AbstractFamily) -> Float[Array, "latents globals"]:
        r"""Return the covariance of the means with :math:`\theta`."""

    @abstractmethod
    def typical_scale(self) -> Latents | None:
        r"""Return the root of the mean square of the scales over :math:`\theta`."""


@final
class LinearConditional(AbstractConditional):
    r"""Means that are linear in the global unknowns, and scales that are constant.

    .. math:: m(\theta) = c + R \, (\theta - \theta_0)

    Parameters
    ----------
    origin, center, slope
        :math:`\theta_0`, `c` and `R`.
    widths
        The scales; `None` for ones.
    """

    origin: Float[AnyArray, " globals"]
    center: Float[AnyArray, " latents"]
    slope: Float[AnyArray, "latents globals"]
    widths: Float[AnyArray, " latents"] | None = None

    def parameters(self) -> dict[str, AnyArray]:
        own = {"origin": self.origin, "center": self.center, "slope": self.slope}
        return own if self.widths is None else own | {"widths": self.widths}

    def mean(self, theta: Globals) -> Latents:
        return jnp.add(self.center, self.slope @ (theta - self.origin))

    def scale(self, theta: Globals) -> Latents | None:
        return None if self.widths is None else jnp.asarray(self.widths)

    def average(self, outer: AbstractFamily) -> Latents:
        return self.mean(jnp.asarray(outer.mean()))

    def root(self, outer: AbstractFamily) -> Float[Array, "latents rank"]:
        values, vectors = jnp.linalg.eigh(jnp.asarray(outer.cov()))
        return jnp.asarray(self.slope) @ (vectors * jnp.sqrt(jnp.maximum(values, 0.0)))

    def covariance(self, outer: AbstractFamily) -> Float[Array, "latents globals"]:
        return jnp.asarray(self.slope) @ outer.cov()

    def typical_scale(self) -> Latents | None:
        return None if self.widths is None else jnp.asarray(self.widths)
