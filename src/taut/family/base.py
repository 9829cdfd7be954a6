"""What a family of approximations does for one event; batches of draws are made by the callers."""

from abc import abstractmethod

import equinox as eqx
from jaxtyping import Array, Float, PRNGKeyArray, Scalar

from taut.arrays import AnyArray


class AbstractFamily(eqx.Module):
    r"""A density :math:`q(z)` that can be sampled and differentiated through its draws.

    A draw is noise pushed forward, :math:`z = T_\lambda(\epsilon)`. Leaves that are inexact
    arrays are the trainable, unconstrained parameters :math:`\lambda`.
    """

    @property
    @abstractmethod
    def dim(self) -> int:
        """Elements of a draw."""

    @abstractmethod
    def parameters(self) -> dict[str, AnyArray]:
        """Give the parameters under the names, and in the form, a user reads them in."""

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

    def sample(self, key: PRNGKeyArray) -> Float[Array, " dim"]:
        """Draw one event."""
        return self.push(self.noise(key))[0]

    def sample_and_log_prob(self, key: PRNGKeyArray) -> tuple[Float[Array, " dim"], Scalar]:
        """Draw one event, with its log density."""
        return self.push(self.noise(key))
