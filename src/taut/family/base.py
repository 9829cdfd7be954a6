"""What a family of approximations does for one event; batches of draws are made by the callers."""

from abc import abstractmethod
from typing import ClassVar

import equinox as eqx
from jaxtyping import Array, Float, PRNGKeyArray, Scalar

from taut.arrays import AnyArray
from taut.family.host import HostGaussian, HostPoints
from taut.family.host_noise import HostNoise


class AbstractFamily(eqx.Module):
    r"""A density :math:`q(z)` that can be sampled and differentiated through its draws.

    A draw is noise pushed forward, :math:`z = T_\lambda(\epsilon)`. Leaves that are inexact
    arrays are the trainable, unconstrained parameters :math:`\lambda`.

    Attributes
    ----------
    drawn_on_host
        Whether NumPy pushes the noise forward, by what `on_host` returns. XLA takes longer to
        compile its own way than NumPy to make some thousand draws.
    """

    drawn_on_host: ClassVar[bool] = False

    @property
    @abstractmethod
    def dim(self) -> int:
        """Elements of a draw."""

    @abstractmethod
    def parameters(self) -> dict[str, AnyArray]:
        """Return the parameters under the names, and in the form, a user reads them in."""

    @abstractmethod
    def noise(self, key: PRNGKeyArray) -> Float[Array, " noise"]:
        """Draw the noise of one event; does not depend on the parameters."""

    @abstractmethod
    def push(self, noise: Float[Array, " noise"]) -> tuple[Float[Array, " dim"], Scalar]:
        """Push noise forward to a draw, with the log density of that draw."""

    @abstractmethod
    def log_prob(self, z: Float[Array, " dim"]) -> Scalar:
        """Evaluate the normalised log density at a point."""

    @abstractmethod
    def mean(self) -> Float[AnyArray, " dim"]:
        """Mean of q."""

    @abstractmethod
    def std(self) -> Float[Array, " dim"]:
        """Marginal standard deviations of q."""

    @abstractmethod
    def cov(self) -> Float[Array, "dim dim"]:
        """Covariance of q."""

    def on_host(self) -> HostGaussian | HostPoints | None:
        """Return the same in NumPy's arrays; `None` for what is neither a Gaussian nor points."""
        return self._to_host() if isinstance(self, OnHost) else None

    def noise_spec(self) -> HostNoise | None:
        """Return what NumPy makes the noise by; `None` where JAX has to make it."""
        return self._noise_by_numpy() if isinstance(self, NoiseOnHost) else None

    def sample(self, key: PRNGKeyArray) -> Float[Array, " dim"]:
        """Draw one event."""
        return self.push(self.noise(key))[0]

    def sample_and_log_prob(self, key: PRNGKeyArray) -> tuple[Float[Array, " dim"], Scalar]:
        """Draw one event, with its log density."""
        return self.push(self.noise(key))


class OnHost(eqx.Module):
    """What a family is as well that is a Gaussian, or points: NumPy can work with it."""

    @abstractmethod
    def _to_host(self) -> HostGaussian | HostPoints | None:
        """Return mean and root, or points."""


class NoiseOnHost(eqx.Module):
    """What a family is as well whose noise NumPy makes."""

    @abstractmethod
    def _noise_by_numpy(self) -> HostNoise | None:
        """Return what makes it."""
