"""Latents that are Gaussian given a few global unknowns, with a sparse precision."""

import dataclasses
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree, Scalar

from taut.arrays import AnyArray
from taut.elimination import AbstractElimination, BlockTridiagonal
from taut.errors import ArgumentError
from taut.family.base import AbstractFamily, NoiseOnHost
from taut.family.conditional import AbstractConditional, LinearConditional
from taut.family.host_noise import HostNoise, NoiseOfParts, NormalNoise
from taut.family.parameters import Parameters, of_part, with_parameters
from taut.family.softplus import HALF_LOG_2PI

# Dimensions up to which a covariance is written out.
_DENSE = 5000


class Structured(AbstractFamily, NoiseOnHost):
    r"""A few unknowns by any family, and many latents that are Gaussian given these.

    .. math:: q(\theta, u) = q(\theta)\, \mathcal N\bigl(u;\, m(\theta),\,
              D(\theta) H^{-1} D(\theta) \bigr)

    with a sparse precision `H` of the latents: independent blocks, blocks with a border, or a
    chain. Memory and time are O(latents) in all but `cov`. Where scales move with the globals,
    variances are exact, and covariances of latents, as those of differences of a chain, take their
    correlation given the globals for constant.

    Parameters
    ----------
    outer
        The family of :math:`\theta`.
    given
        Means `m` and scales `D` of the latents.
    precision
        `H`, factored.
    at_outer, at_latents
        Where both are in the flat vector.
    is_summed
        Whether `u` are running sums, over steps of a chain, of what is in the flat vector.

    References
    ----------
    Tan, Bhaskaran, Nott (2020), Conditionally structured variational Gaussian approximation with
    importance weights.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from taut.elimination import BlockDiagonal
    >>> from taut.family import LinearConditional, MeanField, Structured
    >>> outer = MeanField.at(jnp.zeros(1), jnp.ones(1))
    >>> own = BlockDiagonal.of(jnp.full((2, 1, 1), 4.0))
    >>> given = LinearConditional(jnp.zeros(1), jnp.zeros(2), jnp.ones((2, 1)))
    >>> q = Structured(outer, given, own, jnp.array([0]), jnp.array([1, 2]))
    >>> print(q.std().round(4))
    [1.    1.118 1.118]
    """

    outer: AbstractFamily
    given: AbstractConditional
    precision: AbstractElimination
    at_outer: Int[AnyArray, " globals"]
    at_latents: Int[AnyArray, " latents"]
    is_summed: bool = eqx.field(static=True, default=False)

    @classmethod
    def restored(cls, given: AbstractConditional | None = None, **fields: Any) -> Self:
        """Build the member of what a file holds; in older ones latents lie on lines."""
        if given is None:
            lines = {name: fields.pop(name) for name in ("origin", "center", "slope")}
            given = LinearConditional(**lines, widths=fields.pop("scale", None))
        return cls(given=given, **fields)

    @property
    def dim(self) -> int:
        return self.at_outer.shape[0] + self.at_latents.shape[0]

    def parameters(self) -> dict[str, AnyArray]:
        of_outer = {f"outer_{name}": value for name, value in self.outer.parameters().items()}
        return self.given.parameters() | of_outer

    def noise(self, key: PRNGKeyArray) -> PyTree:
        outer, own = jax.random.split(key)
        return self.outer.noise(outer), jax.random.normal(own, self.at_latents.shape, self._dtype)

    def push(self, noise: PyTree) -> tuple[Float[Array, " dim"], Scalar]:
        theta, log_q = self.outer.push(noise[0])
        z, log_given = self.color_given(theta, noise[1])
        return z, log_q + log_given

    def log_prob(self, z: Float[Array, " dim"]) -> Scalar:
        theta, noise = self.whiten_given(z)
        return self.outer.log_prob(theta) + self._log_density(noise, self.given.scale(theta))

    def color_given(
        self, theta: Float[Array, " globals"], noise: Float[Array, " latents"]
    ) -> tuple[Float[Array, " dim"], Scalar]:
        r"""Turn standard normal noise into latents given :math:`\theta`.

        Returns
        -------
        tuple
            All unknowns, and the log density of the latents given the globals, in nats.
        """
        scale, own = self.given.scale(theta), self.precision.color(noise)
        u = self.given.mean(theta) + (own if scale is None else own * scale)
        return self._place(theta, u), self._log_density(noise, scale)

    def whiten_given(
        self, z: Float[Array, " dim"]
    ) -> tuple[Float[Array, " globals"], Float[Array, " latents"]]:
        r"""Return :math:`\theta`, and the noise that `color_given` makes the latents of."""
        theta, u = z[self.at_outer], self._summed(z[self.at_latents])
        scale, away = self.given.scale(theta), u - self.given.mean(theta)
        return theta, self.precision.whiten(away if scale is None else away / scale)

    def mean(self) -> Float[Array, " dim"]:
        return self._place(jnp.asarray(self.outer.mean()), self.given.average(self.outer))

    def std(self) -> Float[Array, " dim"]:
        shared = jnp.sum(self._of_place(self.given.root(self.outer)) ** 2, axis=1)
        return self._scatter(self.outer.std(), jnp.sqrt(self._own_variances() + shared))

    def cov(self) -> Float[Array, "dim dim"]:
        if self.dim > _DENSE:
            raise ArgumentError(
                f"The covariance of {self.dim:,d} unknowns is a matrix of {self.dim:,d} squared "
                "numbers. Read approx.std, or the covariances of draws of some of them."
            )
        noise = jnp.eye(self.at_latents.shape[0], dtype=self._dtype)
        colored = jax.vmap(lambda one: self._typical(self.precision.color(one)))(noise)
        own, shared = self._of_place(colored.T), self._of_place(self.given.root(self.outer))
        outer = jnp.asarray(self.outer.cov())
        across = self._of_place(self.given.covariance(self.outer))
        latents = shared @ shared.T + own @ own.T
        whole = jnp.block([[outer, across.T], [across, latents]])
        at = jnp.concatenate([self.at_outer, self.at_latents])
        return jnp.zeros_like(whole).at[jnp.ix_(at, at)].set(whole)

    def _noise_by_numpy(self) -> HostNoise | None:
        return NoiseOfParts.of([self.outer.noise_spec(), NormalNoise()])

    @property
    def _dtype(self) -> np.dtype:
        return self.outer.mean().dtype

    def _typical(self, own: Float[Array, " latents"]) -> Float[Array, " latents"]:
        scale = self.given.typical_scale()
        return own if scale is None else own * scale

    def _log_density(
        self, noise: Float[Array, " latents"], scale: Float[Array, " latents"] | None
    ) -> Scalar:
        square = -0.5 * jnp.sum(noise**2) + 0.5 * self.precision.log_det
        if scale is not None:
            square = square - jnp.sum(jnp.log(scale))
        return square - self.at_latents.shape[0] * HALF_LOG_2PI

    def _own_variances(self) -> Float[Array, " latents"]:
        if not self.is_summed:
            return self._typical(self._typical(self.precision.variances()))
        assert isinstance(self.precision, BlockTridiagonal)
        blocks, below = self.precision.covariances()
        own, across = (jnp.diagonal(one, axis1=1, axis2=2) for one in (blocks, below))
        scale = self.given.typical_scale()
        if scale is not None:
            scale = scale.reshape(own.shape)
            own, across = own * scale**2, across * scale[1:] * scale[:-1]
        return own.at[1:].add(own[:-1] - 2 * across).reshape(-1)

    def _place(
        self, theta: Float[Array, " globals"], u: Float[Array, " latents"]
    ) -> Float[Array, " dim"]:
        return self._scatter(theta, self._of_place(u))

    def _scatter(self, outer: Array, own: Array) -> Float[Array, " dim"]:
        z = jnp.zeros(self.dim, outer.dtype).at[self.at_outer].set(outer)
        return z.at[self.at_latents].set(own)

    def _of_place(self, u: Float[Array, "latents *more"]) -> Float[Array, "latents *more"]:
        """Take running sums apart, if they are such."""
        if not self.is_summed:
            return u
        steps = u.reshape(-1, self._width, *u.shape[1:])
        return jnp.diff(steps, axis=0, prepend=0.0).reshape(u.shape)

    def _summed(self, own: Float[Array, " latents"]) -> Float[Array, " latents"]:
        if not self.is_summed:
            return own
        return jnp.cumsum(own.reshape(-1, self._width), axis=0).reshape(-1)

    @property
    def _width(self) -> int:
        """Latents of a step."""
        assert isinstance(self.precision, BlockTridiagonal)
        return self.precision.k


@with_parameters.register
def _(family: Structured, given: Parameters) -> AbstractFamily:
    own = {name: given[name] for name in family.given.parameters()}
    of_outer = {
        name.removeprefix("outer_"): value for name, value in given.items() if name not in own
    }
    conditional = dataclasses.replace(family.given, **own)
    return dataclasses.replace(family, outer=of_part(family.outer, of_outer), given=conditional)
