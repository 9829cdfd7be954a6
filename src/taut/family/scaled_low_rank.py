"""A Gaussian that is stretched along a few directions, or squeezed."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, Scalar

from taut.arrays import AnyArray
from taut.errors import ArgumentError
from taut.family.base import AbstractFamily, NoiseOnHost, OnHost
from taut.family.host import HostGaussian, Stretch
from taut.family.host_noise import HostNoise, NormalNoise
from taut.family.parameters import Parameters, with_parameters
from taut.family.softplus import log_standard_normal


class ScaledLowRank(AbstractFamily, OnHost, NoiseOnHost):
    r"""A Gaussian with scales, and a stretch along a few directions.

    .. math:: z = \mu + \sigma \odot (\epsilon + U \operatorname{diag}(h) U^\top \epsilon),
              \quad \sigma = e^{\rho}, \quad \epsilon \sim \mathcal N(0, I)

    with `U` of shape dim x rank, and no dim x dim array anywhere but in `cov`. This is the form of
    a limited-memory inverse Hessian, which Pathfinder reads off its path: where :math:`h < 0` the
    Gaussian is narrower along a direction than its scales say, which `LowRank` can not be. A draw
    costs O(dim · rank).

    Parameters
    ----------
    mu
        Mean in the unconstrained space.
    rho
        Logarithm of the scales.
    directions
        :math:`U`; orthonormal where Pathfinder made it, though it need not be.
    stretch
        :math:`h` > -1.

    References
    ----------
    Zhang, Carpenter, Gelman, Vehtari (2022), Pathfinder: Parallel quasi-Newton variational
    inference.

    Examples
    --------
    >>> import numpy as np
    >>> from taut.family import ScaledLowRank
    >>> q = ScaledLowRank(np.zeros(2), np.zeros(2), np.array([[1.0], [0.0]]), np.array([2.0]))
    >>> print(q.std())
    [3. 1.]
    """

    mu: Float[AnyArray, " dim"]
    rho: Float[AnyArray, " dim"]
    directions: Float[AnyArray, "dim rank"]
    stretch: Float[AnyArray, " rank"]

    @property
    def dim(self) -> int:
        return self.mu.shape[0]

    def parameters(self) -> dict[str, AnyArray]:
        return {
            "mu": self.mu, "rho": self.rho, "directions": self.directions, "stretch": self.stretch,
        }  # fmt: skip

    def noise(self, key: PRNGKeyArray) -> Float[Array, " dim"]:
        return jax.random.normal(key, self.mu.shape, self.mu.dtype)

    def push(self, noise: Float[Array, " dim"]) -> tuple[Float[Array, " dim"], Scalar]:
        along = self.directions @ (self.stretch * (self.directions.T @ noise))
        z = jnp.add(self.mu, jnp.exp(self.rho) * (noise + along))
        return z, log_standard_normal(noise) - self._log_det()

    def log_prob(self, z: Float[Array, " dim"]) -> Scalar:
        # Woodbury: the inverse of I + U h U' needs only a rank x rank matrix.
        scaled = (z - self.mu) * jnp.exp(-self.rho)
        inner = jnp.linalg.solve(self._inner(), self.stretch * (self.directions.T @ scaled))
        return log_standard_normal(scaled - self.directions @ inner) - self._log_det()

    def mean(self) -> Float[AnyArray, " dim"]:
        return self.mu

    def std(self) -> Float[Array, " dim"]:
        # The rows of I + U h U', squared and summed.
        weighted = self.directions * self.stretch
        gram = self.directions.T @ self.directions
        squares = jnp.sum((weighted @ gram) * weighted, axis=1)
        return jnp.exp(self.rho) * jnp.sqrt(
            1.0 + 2.0 * jnp.sum(weighted * self.directions, axis=1) + squares
        )

    def cov(self) -> Float[Array, "dim dim"]:
        weighted = jnp.asarray(self.directions) * self.stretch
        root = jnp.eye(self.dim, dtype=weighted.dtype) + weighted @ self.directions.T
        root = jnp.exp(self.rho)[:, None] * root
        return root @ root.T

    def _to_host(self) -> HostGaussian:
        # In double precision, that exponentials lose none.
        parts = self.mu, self.rho, self.directions, self.stretch
        mean, rho, directions, stretch = (np.asarray(part, float) for part in parts)
        return HostGaussian(mean, Stretch(np.exp(rho), directions, stretch))

    def _noise_by_numpy(self) -> HostNoise:
        return NormalNoise()

    def _inner(self) -> Float[Array, "rank rank"]:
        gram = self.directions.T @ self.directions
        return jnp.eye(gram.shape[0], dtype=gram.dtype) + jnp.asarray(self.stretch)[:, None] * gram

    def _log_det(self) -> Scalar:
        return jnp.sum(self.rho) + jnp.linalg.slogdet(self._inner())[1]


@with_parameters.register
def _(family: ScaledLowRank, given: Parameters) -> AbstractFamily:
    if not np.all(given["stretch"] > -1.0):
        raise ArgumentError(
            f"stretch must be > -1, at which a direction has no width; got {given['stretch']}."
        )
    return ScaledLowRank(**given)


# The name that earlier pickles know it by.
Stretched = ScaledLowRank
