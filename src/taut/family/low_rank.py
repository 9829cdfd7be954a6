"""A Gaussian with a diagonal plus low-rank covariance."""

from typing import ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, Scalar

from taut.arrays import AnyArray
from taut.family.base import OnHost
from taut.family.by_name import ByName, Start, shaped
from taut.family.host import Factor, HostGaussian, softplus
from taut.family.location_scale import AbstractLocationScale
from taut.family.parameters import Parameters
from taut.family.softplus import HALF_LOG_2PI, inverse_softplus


class LowRank(AbstractLocationScale, OnHost, ByName):
    r"""A Gaussian whose covariance is a diagonal and a few directions.

    .. math:: z = \mu + \sigma \odot \epsilon + F \eta, \quad \sigma = \log(1 + e^{\rho}),
              \quad \Sigma = \operatorname{diag}(\sigma^2) + F F^\top

    with `F` of shape dim x rank, and no dim x dim array anywhere but in `cov`. Sees the strongest
    correlations of posteriors too large for `FullRank`, at O(dim · rank²) a step.

    Parameters
    ----------
    mu
        Mean in the unconstrained space.
    rho
        Scale of the diagonal part before the softplus.
    factor
        The directions.

    References
    ----------
    Ong, Nott, Smith (2018), Gaussian Variational Approximation With a Factor Covariance
    Structure.

    Examples
    --------
    >>> import numpy as np
    >>> from taut.family import LowRank
    >>> q = LowRank(np.zeros(2), np.zeros(2), np.array([[1.0], [2.0]]))
    >>> float(q.cov()[0, 1])
    2.0
    """

    names: ClassVar[tuple[str, ...]] = ("low_rank", "lr")
    keys: ClassVar[frozenset[str]] = frozenset({"mu", "rho", "factor"})
    scale: ClassVar[float] = float(np.log(2.0))

    mu: Float[AnyArray, " dim"]
    rho: Float[AnyArray, " dim"]
    factor: Float[AnyArray, "dim rank"]

    @classmethod
    def at(
        cls,
        mean: Float[np.ndarray, " dim"],
        std: Float[np.ndarray, " dim"],
        rank: int | None = None,
    ) -> Self:
        """Build a member with this mean and, nearly, these standard deviations.

        The directions start small rather than at zero, where their gradient is zero too. The rank
        is by default the root of the dimension, and at most 20.
        """
        dim = len(mean)
        rank = max(1, min(20, int(np.sqrt(dim)))) if rank is None else min(rank, dim)
        # A fixed pattern of signs: any start but zero does, and this one needs no seed.
        signs = np.cos(np.pi * np.outer(np.arange(dim) + 0.5, np.arange(rank) + 1) / max(dim, 1))
        return cls(mean, inverse_softplus(std), (1e-2 * std[:, None] * signs).astype(mean.dtype))

    @classmethod
    def begin(cls, start: Start) -> Self:
        return cls.at(start.mean, start.std, start.rank)

    @classmethod
    def restore(cls, params: Parameters, dim: int) -> Self:
        factor = shaped(params, "factor", (dim, params["factor"].shape[-1]))
        return cls(shaped(params, "mu", (dim,)), shaped(params, "rho", (dim,)), factor)

    @property
    def dim(self) -> int:
        return self.mu.shape[0]

    def parameters(self) -> dict[str, AnyArray]:
        return {"mu": self.mu, "rho": self.rho, "factor": self.factor}

    def noise(self, key: PRNGKeyArray) -> Float[Array, " noise"]:
        size = self.dim + self.factor.shape[1]
        return jax.random.normal(key, (size,), self.mu.dtype)

    def push(self, noise: Float[Array, " noise"]) -> tuple[Float[Array, " dim"], Scalar]:
        own, shared = noise[: self.dim], noise[self.dim :]
        z = jnp.add(self.mu, self._diagonal() * own + self.factor @ shared)
        return z, self.log_prob(z)

    def log_prob(self, z: Float[Array, " dim"]) -> Scalar:
        # Woodbury: with U = F / sigma, (D + F F')^-1 needs only the rank x rank matrix I + U' U.
        sigma, u, cholesky = self._scaled()
        scaled = (z - self.mu) / sigma
        along = jax.scipy.linalg.solve_triangular(cholesky, u.T @ scaled, lower=True)
        square = scaled @ scaled - along @ along
        return -0.5 * square - _log_det(sigma, cholesky) - self.dim * HALF_LOG_2PI

    def mean(self) -> Float[AnyArray, " dim"]:
        return self.mu

    def std(self) -> Float[Array, " dim"]:
        return jnp.sqrt(self._diagonal() ** 2 + jnp.sum(jnp.square(self.factor), axis=1))

    def cov(self) -> Float[Array, "dim dim"]:
        return jnp.diag(self._diagonal() ** 2) + jnp.asarray(self.factor @ self.factor.T)

    def color(self, noise: Float[Array, " dim"]) -> Float[Array, " dim"]:
        # With I + U'U = CC', A = sigma (I + U (I + C)^-1 U') is a root: multiply it out.
        sigma, u, cholesky = self._scaled()
        shifted = cholesky + jnp.eye(u.shape[1], dtype=u.dtype)
        along = jax.scipy.linalg.solve_triangular(shifted, u.T @ noise, lower=True)
        return jnp.add(self.mu, sigma * (noise + u @ along))

    def whiten(self, z: Float[Array, " dim"]) -> Float[Array, " dim"]:
        # By Woodbury the inverse of that root is (I - U (I + C')^-1 C^-1 U') / sigma.
        sigma, u, cholesky = self._scaled()
        scaled = (z - self.mu) / sigma
        shifted = cholesky + jnp.eye(u.shape[1], dtype=u.dtype)
        along = jax.scipy.linalg.solve_triangular(cholesky, u.T @ scaled, lower=True)
        return scaled - u @ jax.scipy.linalg.solve_triangular(shifted.T, along, lower=False)

    def log_det(self) -> Scalar:
        sigma, _, cholesky = self._scaled()
        return _log_det(sigma, cholesky)

    def _to_host(self) -> HostGaussian:
        root = Factor(softplus(self.rho), np.asarray(self.factor))
        return HostGaussian(np.asarray(self.mu), root)

    def _scaled(self) -> tuple[Array, Array, Array]:
        """Compute sigma, U = F / sigma, and the Cholesky factor of I + U'U."""
        sigma = self._diagonal()
        u = jnp.asarray(self.factor) / sigma[:, None]
        return sigma, u, jnp.linalg.cholesky(jnp.eye(u.shape[1], dtype=u.dtype) + u.T @ u)

    def _diagonal(self) -> Float[Array, " dim"]:
        return jax.nn.softplus(self.rho)


def _log_det(sigma: Float[Array, " dim"], cholesky: Float[Array, "rank rank"]) -> Scalar:
    return jnp.sum(jnp.log(sigma)) + jnp.sum(jnp.log(jnp.diagonal(cholesky)))
