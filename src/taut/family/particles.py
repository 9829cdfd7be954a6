"""Equally weighted points."""

from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from taut.arrays import AnyArray
from taut.family.base import AbstractFamily, NoiseOnHost, OnHost
from taut.family.by_name import ByName, Start, shaped
from taut.family.host import HostPoints
from taut.family.host_noise import HostNoise, NumberNoise
from taut.family.parameters import Parameters


class Particles(OnHost, NoiseOnHost, ByName):
    r"""The empirical distribution of some points.

    .. math:: q = \frac1n \sum_{i=1}^n \delta_{x_i}

    A draw is one of the points. There is no density: `log_prob`, and the log density `push` gives,
    are not a number.

    Parameters
    ----------
    histogram
        The points, one a row, in the unconstrained space.

    Examples
    --------
    >>> import numpy as np
    >>> from taut.family import Particles
    >>> print(Particles(np.array([[0.0, 1.0], [2.0, 3.0]])).mean())
    [1. 2.]
    """

    drawn_on_host: ClassVar[bool] = True
    names: ClassVar[tuple[str, ...]] = ("empirical",)
    keys: ClassVar[frozenset[str]] = frozenset({"histogram"})
    scale: ClassVar[float] = 1.0

    histogram: Float[AnyArray, "particles dim"]

    @classmethod
    def around(cls, start: Float[np.ndarray, " dim"], size: int, jitter: float, seed: int) -> Self:
        """Scatter points around a start, with normal noise of one scale."""
        noise = np.random.default_rng(seed).normal(0.0, jitter, (size, len(start)))
        return cls((start + noise).astype(start.dtype))

    @classmethod
    def begin(cls, start: Start) -> Self:
        return cls.around(start.mean, start.size, start.jitter, start.seed)

    @classmethod
    def restore(cls, params: Parameters, dim: int) -> Self:
        return cls(shaped(params, "histogram", (params["histogram"].shape[0], dim)))

    @property
    def dim(self) -> int:
        return self.histogram.shape[1]

    def parameters(self) -> dict[str, AnyArray]:
        return {"histogram": self.histogram}

    def noise(self, key: PRNGKeyArray) -> Int[Array, ""]:
        return jax.random.randint(key, (), 0, self.histogram.shape[0])

    def push(self, noise: Int[Array, ""]) -> tuple[Float[Array, " dim"], Scalar]:
        z = jnp.asarray(self.histogram)[noise]
        return z, self.log_prob(z)

    def log_prob(self, z: Float[Array, " dim"]) -> Scalar:
        return jnp.full((), jnp.nan, self.histogram.dtype)

    def mean(self) -> Float[AnyArray, " dim"]:
        return jnp.mean(self.histogram, axis=0)

    def std(self) -> Float[Array, " dim"]:
        return jnp.std(self.histogram, axis=0)

    def cov(self) -> Float[Array, "dim dim"]:
        centred = jnp.subtract(self.histogram, jnp.mean(self.histogram, axis=0))
        return centred.T @ centred / self.histogram.shape[0]

    def _to_host(self) -> HostPoints:
        return HostPoints(np.asarray(self.histogram))

    def _noise_by_numpy(self) -> HostNoise:
        return NumberNoise(len(self.histogram))


def has_density(family: AbstractFamily) -> bool:
    """Return whether a family has a density: whether no part of it is particles."""
    parts = jax.tree.leaves(family, is_leaf=_is_particles)
    return not any(_is_particles(part) for part in parts)


def _is_particles(part: Any) -> bool:
    return isinstance(part, Particles)
