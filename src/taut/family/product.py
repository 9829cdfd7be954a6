"""Independent families, each of its own part of the vector."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree, Scalar

from taut.arrays import AnyArray
from taut.family.base import AbstractFamily, NoiseOnHost, OnHost
from taut.family.host import Blocks, HostGaussian
from taut.family.host_noise import HostNoise, NoiseOfParts
from taut.family.parameters import Parameters, of_parts, with_parameters


class Product(AbstractFamily, OnHost, NoiseOnHost):
    r"""A product of independent families.

    .. math:: q(z) = \prod_g q_g(z_{I_g})

    Parameters
    ----------
    parts
        The families :math:`q_g`.
    indices
        For each of them the places :math:`I_g` of its elements in the vector; together every
        place once.

    Examples
    --------
    >>> import numpy as np
    >>> from taut.family import MeanField, Product
    >>> parts = MeanField.at(np.array([5.0]), np.ones(1)), MeanField.at(np.zeros(2), np.ones(2))
    >>> print(Product(parts, ((1,), (0, 2))).mean())
    [0. 5. 0.]
    """

    parts: tuple[AbstractFamily, ...]
    indices: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    @property
    def dim(self) -> int:
        return sum(part.dim for part in self.parts)

    def parameters(self) -> dict[str, AnyArray]:
        return {
            f"{name}_{i}": value
            for i, part in enumerate(self.parts)
            for name, value in part.parameters().items()
        }

    def noise(self, key: PRNGKeyArray) -> PyTree:
        keys = jax.random.split(key, len(self.parts))
        return tuple(part.noise(key) for part, key in zip(self.parts, keys, strict=True))

    def push(self, noise: PyTree) -> tuple[Float[Array, " dim"], Scalar]:
        pushed = [part.push(own) for part, own in zip(self.parts, noise, strict=True)]
        return self._join([z for z, _ in pushed]), jnp.sum(
            jnp.stack([log_q for _, log_q in pushed])
        )

    def log_prob(self, z: Float[Array, " dim"]) -> Scalar:
        each = [
            part.log_prob(z[np.array(index)])
            for part, index in zip(self.parts, self.indices, strict=True)
        ]
        return jnp.sum(jnp.stack(each))

    def mean(self) -> Float[AnyArray, " dim"]:
        return self._join([part.mean() for part in self.parts])

    def std(self) -> Float[Array, " dim"]:
        return self._join([part.std() for part in self.parts])

    def cov(self) -> Float[Array, "dim dim"]:
        order = self._order()
        blocks = jax.scipy.linalg.block_diag(*(part.cov() for part in self.parts))
        return blocks[np.ix_(order, order)]

    def _to_host(self) -> HostGaussian | None:
        parts = tuple(part.on_host() for part in self.parts)
        gaussians = tuple(part for part in parts if isinstance(part, HostGaussian))
        if len(gaussians) < len(parts):
            return None
        mean = np.concatenate([part.mean for part in gaussians])[self._order()]
        return HostGaussian(mean, Blocks(gaussians, self.indices))

    def _noise_by_numpy(self) -> HostNoise | None:
        return NoiseOfParts.of(part.noise_spec() for part in self.parts)

    def _join(self, pieces: list[AnyArray]) -> Array:
        return jnp.concatenate(pieces)[self._order()]

    def _order(self) -> np.ndarray:
        """For each place of the vector, where it stands when the pieces are joined."""
        return np.argsort(np.concatenate([np.array(index, int) for index in self.indices]))


@with_parameters.register
def _(family: Product, given: Parameters) -> AbstractFamily:
    return Product(of_parts(family.parts, given), family.indices)
