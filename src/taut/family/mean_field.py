"""Independent Gaussians."""

from typing import ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, Scalar

from taut.arrays import AnyArray
from taut.family.base import OnHost
from taut.family.by_name import ByName, Start, shaped
from taut.family.host import Diagonal, HostGaussian, softplus
from taut.family.location_scale import AbstractLocationScale
from taut.family.parameters import Parameters
from taut.family.softplus import inverse_softplus, log_standard_normal


class MeanField(AbstractLocationScale, OnHost, ByName):
    r"""Independent Gaussians with a softplus scale, the form of Bayes by backprop.

    .. math:: z = \mu + \sigma \odot \epsilon, \quad \sigma = \log(1 + e^{\rho}),
              \quad \epsilon \sim \mathcal N(0, I)

    Correlations are not represented, and marginal standard deviations come out too small where
    the posterior is correlated. One step costs O(dim).

    Parameters
    ----------
    mu
        Mean in the unconstrained space.
    rho
        Scale before the softplus.

    References
    ----------
    Blundell, Cornebise, Kavukcuoglu, Wierstra (2015), Weight Uncertainty in Neural Networks.

    Examples
    --------
    >>> import numpy as np
    >>> from taut.family import MeanField
    >>> q = MeanField.at(np.zeros(2), np.array([1.0, 2.0]))
    >>> [round(float(s), 6) for s in q.std()]
    [1.0, 2.0]
    """

    drawn_on_host: ClassVar[bool] = True
    names: ClassVar[tuple[str, ...]] = ("mean_field", "mf")
    keys: ClassVar[frozenset[str]] = frozenset({"mu", "rho"})
    # PyMC begins at rho = 0.
    scale: ClassVar[float] = float(np.log(2.0))

    mu: Float[AnyArray, " dim"]
    rho: Float[AnyArray, " dim"]

    @classmethod
    def at(cls, mean: Float[np.ndarray, " dim"], std: Float[np.ndarray, " dim"]) -> Self:
        """Build the member with this mean and these standard deviations."""
        return cls(mean, inverse_softplus(std))

    @classmethod
    def begin(cls, start: Start) -> Self:
        return cls.at(start.mean, start.std)

    @classmethod
    def restore(cls, params: Parameters, dim: int) -> Self:
        return cls(shaped(params, "mu", (dim,)), shaped(params, "rho", (dim,)))

    @property
    def dim(self) -> int:
        return self.mu.shape[0]

    def parameters(self) -> dict[str, AnyArray]:
        return {"mu": self.mu, "rho": self.rho}

    def noise(self, key: PRNGKeyArray) -> Float[Array, " dim"]:
        return jax.random.normal(key, self.mu.shape, self.mu.dtype)

    def push(self, noise: Float[Array, " dim"]) -> tuple[Float[Array, " dim"], Scalar]:
        return self.color(noise), log_standard_normal(noise) - self.log_det()

    def log_prob(self, z: Float[Array, " dim"]) -> Scalar:
        return log_standard_normal(self.whiten(z)) - self.log_det()

    def mean(self) -> Float[AnyArray, " dim"]:
        return self.mu

    def std(self) -> Float[Array, " dim"]:
        return jax.nn.softplus(self.rho)

    def cov(self) -> Float[Array, "dim dim"]:
        return jnp.diag(self.std() ** 2)

    def color(self, noise: Float[Array, " dim"]) -> Float[Array, " dim"]:
        return jnp.add(self.mu, self.std() * noise)

    def whiten(self, z: Float[Array, " dim"]) -> Float[Array, " dim"]:
        return (z - self.mu) / self.std()

    def log_det(self) -> Scalar:
        return jnp.sum(jnp.log(self.std()))

    def _to_host(self) -> HostGaussian:
        return HostGaussian(np.asarray(self.mu), Diagonal(softplus(self.rho)))
