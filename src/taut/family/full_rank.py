"""A Gaussian with a dense covariance."""

from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, Scalar

from taut.arrays import AnyArray
from taut.family.base import AbstractFamily, OnHost
from taut.family.by_name import ByName, Start, shaped
from taut.family.host import HostGaussian, Triangle, softplus
from taut.family.location_scale import AbstractLocationScale
from taut.family.parameters import Parameters, with_parameters
from taut.family.softplus import inverse_softplus, log_standard_normal


class FullRank(AbstractLocationScale, OnHost, ByName):
    r"""A Gaussian whose covariance has a Cholesky factor with a softplus diagonal.

    .. math:: z = \mu + L \epsilon, \quad L_{ii} = \log(1 + e^{\ell_{ii}}),
              \quad L_{ij} = \ell_{ij} \; (i > j), \quad \epsilon \sim \mathcal N(0, I)

    Represents every correlation, at O(dim²) for a step and for memory.

    Parameters
    ----------
    mu
        Mean in the unconstrained space.
    factor
        The numbers :math:`\ell` as a square matrix, of which only the lower triangle is read: on
        a CPU this is up to three times faster than a packed triangle, whose scatter does not
        vectorise.

    Examples
    --------
    >>> import numpy as np
    >>> from taut.family import FullRank
    >>> q = FullRank.at(np.zeros(2), np.array([1.0, 2.0]))
    >>> [round(float(s), 6) for s in q.std()]
    [1.0, 2.0]
    """

    drawn_on_host: ClassVar[bool] = True
    names: ClassVar[tuple[str, ...]] = ("full_rank", "fr")
    keys: ClassVar[frozenset[str]] = frozenset({"mu", "L_tril"})
    # PyMC begins at ones on the diagonal of L_tril.
    scale: ClassVar[float] = float(np.log1p(np.e))

    mu: Float[AnyArray, " dim"]
    factor: Float[AnyArray, "dim dim"]

    @classmethod
    def at(cls, mean: Float[np.ndarray, " dim"], std: Float[np.ndarray, " dim"]) -> Self:
        """Build the uncorrelated member with this mean and these standard deviations."""
        return cls(mean, np.diag(inverse_softplus(std)))

    @classmethod
    def of(
        cls, mean: Float[np.ndarray, " dim"], root: Float[np.ndarray, "dim dim"], dtype: Any = float
    ) -> Self:
        """Build the member whose covariance has this Cholesky factor."""
        factor = np.tril(root, -1) + np.diag(inverse_softplus(np.diag(root)))
        return cls(np.asarray(mean, dtype), factor.astype(dtype))

    @classmethod
    def begin(cls, start: Start) -> Self:
        return cls.at(start.mean, start.std)

    @classmethod
    def restore(cls, params: Parameters, dim: int) -> Self:
        packed = shaped(params, "L_tril", (dim * (dim + 1) // 2,))
        return cls.packed(shaped(params, "mu", (dim,)), packed)

    @classmethod
    def packed(cls, mean: Float[np.ndarray, " dim"], triangle: Float[np.ndarray, " size"]) -> Self:
        r"""Build the member whose numbers :math:`\ell` are given row by row, as PyMC packs them."""
        factor = np.zeros((len(mean), len(mean)), triangle.dtype)
        factor[np.tril_indices(len(mean))] = triangle
        return cls(mean, factor)

    @property
    def dim(self) -> int:
        return self.mu.shape[0]

    def parameters(self) -> dict[str, AnyArray]:
        return {"mu": self.mu, "L_tril": self.factor[np.tril_indices(self.dim)]}

    def noise(self, key: PRNGKeyArray) -> Float[Array, " dim"]:
        return jax.random.normal(key, self.mu.shape, self.mu.dtype)

    def push(self, noise: Float[Array, " dim"]) -> tuple[Float[Array, " dim"], Scalar]:
        return self.color(noise), log_standard_normal(noise) - self.log_det()

    def log_prob(self, z: Float[Array, " dim"]) -> Scalar:
        return log_standard_normal(self.whiten(z)) - self.log_det()

    def mean(self) -> Float[AnyArray, " dim"]:
        return self.mu

    def std(self) -> Float[Array, " dim"]:
        return jnp.sqrt(jnp.sum(self.cholesky() ** 2, axis=1))

    def cov(self) -> Float[Array, "dim dim"]:
        cholesky = self.cholesky()
        return cholesky @ cholesky.T

    def color(self, noise: Float[Array, " dim"]) -> Float[Array, " dim"]:
        return jnp.add(self.mu, self.cholesky() @ noise)

    def whiten(self, z: Float[Array, " dim"]) -> Float[Array, " dim"]:
        return jax.scipy.linalg.solve_triangular(self.cholesky(), z - self.mu, lower=True)

    def log_det(self) -> Scalar:
        # Of the diagonal alone: no second triangle is made where only this is asked for.
        return jnp.sum(jnp.log(jax.nn.softplus(jnp.diagonal(self.factor))))

    def cholesky(self) -> Float[Array, "dim dim"]:
        """Return the Cholesky factor of the covariance."""
        diagonal = jnp.diagonal(self.factor)
        return jnp.tril(self.factor, -1) + jnp.diag(jax.nn.softplus(diagonal))

    def _to_host(self) -> HostGaussian:
        scale = softplus(np.diagonal(self.factor))
        return HostGaussian(
            np.asarray(self.mu), Triangle(np.tril(self.factor, -1) + np.diag(scale))
        )


@with_parameters.register
def _(family: FullRank, given: Parameters) -> AbstractFamily:
    return FullRank.packed(given["mu"], given["L_tril"])
