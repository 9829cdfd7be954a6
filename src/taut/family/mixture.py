"""A weighted mixture of families."""

from collections.abc import Sequence
from typing import Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree, Scalar

from taut.arrays import AnyArray
from taut.errors import ArgumentError
from taut.family.base import AbstractFamily, NoiseOnHost
from taut.family.host_noise import HostNoise, NoiseOfMixture, NoiseOfParts
from taut.family.parameters import Parameters, of_parts, with_parameters


class Mixture(AbstractFamily, NoiseOnHost):
    r"""A mixture of families of the same vector.

    .. math:: q(z) = \sum_k w_k q_k(z), \quad w = \operatorname{softmax}(\text{logits})

    Holds several modes, or a shape no single component has. A draw and a density cost as much as
    those of all components together.

    `log_prob` is differentiable in everything. A draw is differentiable in the component it comes
    from, and not in the weights: which component it is jumps. A gradient through draws, such as
    that of `taut.objective.ELBO`, therefore says nothing about the weights: its expectation in
    the logits is zero, and with the path gradient it is zero at each step. Weights are for those
    who set them, or fit them to draws by `log_prob`.

    Parameters
    ----------
    parts
        The components :math:`q_k`, of one dimension.
    logits
        Logarithms of the weights, up to a constant.

    Raises
    ------
    ArgumentError
        There is no component, or their dimensions or the number of weights do not match.

    References
    ----------
    Bishop, Lawrence, Jaakkola, Jordan (1997), Approximating Posterior Distributions in Belief
    Networks Using Mixtures.

    Examples
    --------
    >>> import numpy as np
    >>> from taut.family import FullRank, Mixture
    >>> left, right = (FullRank.at(np.array([m]), np.ones(1)) for m in (-2.0, 2.0))
    >>> q = Mixture.of([left, right], np.array([1.0, 3.0]))
    >>> print(q.mean().round(3), q.std().round(3))
    [1.] [2.]
    """

    parts: tuple[AbstractFamily, ...]
    logits: Float[AnyArray, " parts"]

    @classmethod
    def of(
        cls, parts: Sequence[AbstractFamily], weights: Float[np.ndarray, " parts"] | None = None
    ) -> Self:
        """Mix components by weights that need not sum to one; all alike by default."""
        weights = np.ones(len(parts)) if weights is None else np.asarray(weights)
        if not np.all(weights > 0) or not np.all(np.isfinite(weights)):
            raise ArgumentError(
                f"The weights of a mixture must be finite and > 0, got {weights}. Leave a "
                "component without weight out."
            )
        dtype = np.result_type(*(p.mean().dtype for p in parts)) if parts else weights.dtype
        return cls(tuple(parts), np.log(weights / weights.sum()).astype(dtype))

    def __check_init__(self) -> None:
        dims = {part.dim for part in self.parts}
        if len(dims) != 1:
            raise ArgumentError(
                "A mixture needs components of one dimension, got "
                f"{[part.dim for part in self.parts]}."
            )
        if self.logits.shape != (len(self.parts),):
            raise ArgumentError(
                f"A mixture of {len(self.parts)} components needs as many weights, got an array of "
                f"shape {self.logits.shape}."
            )

    @property
    def dim(self) -> int:
        return self.parts[0].dim

    @property
    def weights(self) -> Float[Array, " parts"]:
        """The weights, which sum to one."""
        return jax.nn.softmax(jnp.asarray(self.logits))

    def parameters(self) -> dict[str, AnyArray]:
        named = {
            f"{name}_{k}": value
            for k, part in enumerate(self.parts)
            for name, value in part.parameters().items()
        }
        return {"logits": self.logits} | named

    def noise(self, key: PRNGKeyArray) -> PyTree:
        chooser, *keys = jax.random.split(key, len(self.parts) + 1)
        each = tuple(part.noise(key) for part, key in zip(self.parts, keys, strict=True))
        return jax.random.uniform(chooser, (), self.logits.dtype), each

    def push(self, noise: PyTree) -> tuple[Float[Array, " dim"], Scalar]:
        level, each = noise
        draws = [part.push(own)[0] for part, own in zip(self.parts, each, strict=True)]
        z = jnp.stack(draws)[self._chosen(level)]
        return z, self.log_prob(z)

    def log_prob(self, z: Float[Array, " dim"]) -> Scalar:
        each = jnp.stack([part.log_prob(z) for part in self.parts])
        return jax.nn.logsumexp(jax.nn.log_softmax(jnp.asarray(self.logits)) + each)

    def mean(self) -> Float[Array, " dim"]:
        return self.weights @ self._means()

    def std(self) -> Float[Array, " dim"]:
        within = jnp.stack([part.std() ** 2 for part in self.parts])
        return jnp.sqrt(self.weights @ (within + (self._means() - self.mean()) ** 2))

    def cov(self) -> Float[Array, "dim dim"]:
        within = jnp.stack([part.cov() for part in self.parts])
        away = self._means() - self.mean()
        return jnp.einsum("k,kij->ij", self.weights, within + away[:, :, None] * away[:, None, :])

    def _noise_by_numpy(self) -> HostNoise | None:
        parts = NoiseOfParts.of(part.noise_spec() for part in self.parts)
        return None if parts is None else NoiseOfMixture(parts)

    def _means(self) -> Float[Array, "parts dim"]:
        return jnp.stack([part.mean() for part in self.parts])

    def _chosen(self, level: Scalar) -> Array:
        """Invert the distribution function of the components at a level between 0 and 1."""
        steps = jnp.cumsum(jax.lax.stop_gradient(self.weights))
        # Rounding may leave the last step below 1.
        return jnp.minimum(jnp.searchsorted(steps, level, side="right"), len(self.parts) - 1)


@with_parameters.register
def _(family: Mixture, given: Parameters) -> AbstractFamily:
    return Mixture(of_parts(family.parts, given), given["logits"])
