"""Latents that are Gaussian given a few global unknowns, with a sparse precision."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree, Scalar

from taut.arrays import AnyArray
from taut.elimination import AbstractElimination, BlockTridiagonal
from taut.errors import ArgumentError
from taut.family.base import AbstractFamily, NoiseOnHost
from taut.family.host_noise import HostNoise, NoiseOfParts, NormalNoise
from taut.family.parameters import Parameters, of_part, with_parameters
from taut.family.softplus import HALF_LOG_2PI

# Dimensions up to which a covariance is written out.
_DENSE = 5000


class Structured(AbstractFamily, NoiseOnHost):
    r"""A few unknowns by any family, and many latents that are Gaussian given these.

    .. math:: q(\theta, u) = q(\theta)\, \mathcal N\bigl(u;\, c + R\,(\theta - \theta_0),\,
              D H^{-1} D \bigr)

    with a sparse precision `H` of the latents: independent blocks, blocks with a border, or a
    chain. Memory and time are O(latents) in all but `cov`.

    Parameters
    ----------
    outer
        The family of :math:`\theta`.
    origin, center, slope
        :math:`\theta_0`, `c` and `R`.
    precision
        `H`, factored.
    at_outer, at_latents
        Where both are in the flat vector.
    is_summed
        Whether `u` are running sums, over steps of a chain, of what is in the flat vector.
    scale
        The diagonal of `D`, by which latents are wider than their precision says; `None` for ones.

    References
    ----------
    Tan, Bhaskaran, Nott (2020), Conditionally structured variational Gaussian approximation with
    importance weights.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from taut.elimination import BlockDiagonal
    >>> from taut.family import MeanField, Structured
    >>> outer = MeanField.at(jnp.zeros(1), jnp.ones(1))
    >>> own = BlockDiagonal.of(jnp.full((2, 1, 1), 4.0))
    >>> at = jnp.array([0]), jnp.array([1, 2])
    >>> q = Structured(outer, jnp.zeros(1), jnp.zeros(2), jnp.ones((2, 1)), own, *at)
    >>> print(q.std().round(4))
    [1.    1.118 1.118]
    """

    outer: AbstractFamily
    origin: Float[AnyArray, " globals"]
    center: Float[AnyArray, " latents"]
    slope: Float[AnyArray, "latents globals"]
    precision: AbstractElimination
    at_outer: Int[AnyArray, " globals"]
    at_latents: Int[AnyArray, " latents"]
    is_summed: bool = eqx.field(static=True, default=False)
    scale: Float[AnyArray, " latents"] | None = None

    @property
    def dim(self) -> int:
        return self.at_outer.shape[0] + self.at_latents.shape[0]

    def parameters(self) -> dict[str, AnyArray]:
        own = {name: getattr(self, name) for name in self._own}
        return own | {f"outer_{name}": value for name, value in self.outer.parameters().items()}

    def noise(self, key: PRNGKeyArray) -> PyTree:
        outer, own = jax.random.split(key)
        shape = (self.at_latents.shape[0],)
        return self.outer.noise(outer), jax.random.normal(own, shape, self.center.dtype)

    def push(self, noise: PyTree) -> tuple[Float[Array, " dim"], Scalar]:
        theta, log_q = self.outer.push(noise[0])
        u = self._middle(theta) + self._scaled(self.precision.color(noise[1]))
        return self._place(theta, u), log_q + self._log_density(noise[1])

    def log_prob(self, z: Float[Array, " dim"]) -> Scalar:
        theta, own = z[self.at_outer], z[self.at_latents]
        u = self._summed(own)
        away = u - self._middle(theta)
        noise = self.precision.whiten(away if self.scale is None else away / self.scale)
        return self.outer.log_prob(theta) + self._log_density(noise)

    def mean(self) -> Float[Array, " dim"]:
        theta = jnp.asarray(self.outer.mean())
        return self._place(theta, self._middle(theta))

    def std(self) -> Float[Array, " dim"]:
        slope = self._of_place(jnp.asarray(self.slope))
        shared = jnp.sum((slope @ self.outer.cov()) * slope, axis=1)
        own = jnp.sqrt(self._own_variances() + shared)
        return self._scatter(self.outer.std(), own)

    def cov(self) -> Float[Array, "dim dim"]:
        if self.dim > _DENSE:
            raise ArgumentError(
                f"The covariance of {self.dim:,d} unknowns is a matrix of {self.dim:,d} squared "
                "numbers. Read approx.std, or the covariances of draws of some of them."
            )
        noise = jnp.eye(self.at_latents.shape[0], dtype=self.center.dtype)
        colored = jax.vmap(lambda one: self._scaled(self.precision.color(one)))(noise)
        root = self._of_place(colored.T)
        outer = jnp.asarray(self.outer.cov())
        slope = self._of_place(jnp.asarray(self.slope))
        across = slope @ outer
        own = across @ slope.T + root @ root.T
        whole = jnp.block([[outer, across.T], [across, own]])
        at = jnp.concatenate([self.at_outer, self.at_latents])
        return jnp.zeros_like(whole).at[jnp.ix_(at, at)].set(whole)

    def _noise_by_numpy(self) -> HostNoise | None:
        return NoiseOfParts.of([self.outer.noise_spec(), NormalNoise()])

    def _middle(self, theta: Float[Array, " globals"]) -> Float[Array, " latents"]:
        return jnp.add(self.center, self.slope @ (theta - self.origin))

    def _scaled(self, own: Float[Array, " latents"]) -> Float[Array, " latents"]:
        return own if self.scale is None else own * self.scale

    @property
    def _own(self) -> tuple[str, ...]:
        """Names of parameters, without those of the outer family."""
        names = ("origin", "center", "slope")
        return names if self.scale is None else (*names, "scale")

    def _log_density(self, noise: Float[Array, " latents"]) -> Scalar:
        square = -0.5 * jnp.sum(noise**2) + 0.5 * self.precision.log_det
        if self.scale is not None:
            square = square - jnp.sum(jnp.log(self.scale))
        return square - self.at_latents.shape[0] * HALF_LOG_2PI

    def _own_variances(self) -> Float[Array, " latents"]:
        if not self.is_summed:
            return self._scaled(self._scaled(self.precision.variances()))
        assert isinstance(self.precision, BlockTridiagonal)
        blocks, below = self.precision.covariances()
        own, across = (jnp.diagonal(one, axis1=1, axis2=2) for one in (blocks, below))
        if self.scale is not None:
            scale = self.scale.reshape(own.shape)
            own, across = own * scale**2, across * scale[1:] * scale[:-1]
        return own.at[1:].add(own[:-1] - 2 * across).reshape(-1)

    def _place(
        self, theta: Float[Array, " globals"], u: Float[Array, " latents"]
    ) -> Float[Array, " dim"]:
        return self._scatter(theta, self._of_place(u))

    def _scatter(self, outer: Array, own: Array) -> Float[Array, " dim"]:
        z = jnp.zeros(self.dim, self.center.dtype).at[self.at_outer].set(outer)
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
    own = {name: given[name] for name in family._own}
    of_outer = {name.removeprefix("outer_"): value for name, value in given.items()}
    return dataclasses.replace(family, outer=of_part(family.outer, of_outer), **own)
