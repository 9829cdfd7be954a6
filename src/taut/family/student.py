"""A Gaussian whose noise is Student's t."""

from typing import ClassVar, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, Scalar

from taut.arrays import AnyArray
from taut.errors import ArgumentError
from taut.family.base import AbstractFamily
from taut.family.by_name import ByName, Start, shaped
from taut.family.location_scale import AbstractLocationScale
from taut.family.mean_field import MeanField
from taut.family.parameters import Parameters, of_part, with_parameters
from taut.family.softplus import inverse_softplus

# Degrees of freedom stay above this, so that there is always a variance.
_FEWEST = 2.0


class StudentT(ByName):
    r"""A location-scale family with independent Student-t noise in place of the normal.

    .. math:: z = \mu + A t, \quad t_i \sim t_\nu \text{ independently},
              \quad \nu = 2 + \log(1 + e^{\rho_\nu})

    Its tails are heavier than a Gaussian's, so that importance weights stay bounded where the
    posterior has heavy tails. A step costs as much as one of the Gaussian. The degrees of freedom
    :math:`\nu` are fitted as well, unless `fixed`.

    Parameters
    ----------
    base
        Gives :math:`\mu` and :math:`A`: `MeanField`, `FullRank` or `LowRank`. Its standard
        deviations are the scales of t, not the standard deviations of z.
    rho_nu
        The degrees of freedom before the softplus.
    fixed
        Whether the degrees of freedom stay what they are.

    References
    ----------
    Bailey (1994), Polar Generation of Random Variates With the t-Distribution: the draws, which
    are differentiable in the degrees of freedom.

    Examples
    --------
    >>> import numpy as np
    >>> from taut.family import StudentT
    >>> q = StudentT.at(np.zeros(2), np.array([1.0, 2.0]), nu=5.0)
    >>> [round(float(s), 6) for s in q.std()]
    [1.0, 2.0]
    """

    names: ClassVar[tuple[str, ...]] = ("student", "st")
    keys: ClassVar[frozenset[str]] = frozenset({"mu", "rho", "rho_nu"})
    scale: ClassVar[float] = MeanField.scale

    base: AbstractLocationScale
    rho_nu: Float[AnyArray, ""]
    fixed: bool = eqx.field(static=True, default=False)

    @classmethod
    def at(
        cls, mean: Float[np.ndarray, " dim"], std: Float[np.ndarray, " dim"], nu: float = 8.0
    ) -> Self:
        """Build the uncorrelated member with this mean and these standard deviations."""
        rho_nu = rho_of(nu, mean.dtype)
        return cls(MeanField.at(mean, (std * np.sqrt((nu - 2.0) / nu)).astype(std.dtype)), rho_nu)

    @classmethod
    def around(cls, base: AbstractLocationScale, nu: float = 8.0, *, fixed: bool = False) -> Self:
        """Put noise with so many degrees of freedom into a Gaussian."""
        return cls(base, rho_of(nu, base.mean().dtype), fixed)

    @classmethod
    def begin(cls, start: Start) -> Self:
        return cls.at(start.mean, start.std)

    @classmethod
    def restore(cls, params: Parameters, dim: int) -> Self:
        return cls(MeanField.restore(params, dim), shaped(params, "rho_nu", ()))

    @property
    def dim(self) -> int:
        return self.base.dim

    @property
    def nu(self) -> Scalar:
        """The degrees of freedom."""
        rho_nu = jax.lax.stop_gradient(self.rho_nu) if self.fixed else self.rho_nu
        return freedom(rho_nu)

    def parameters(self) -> dict[str, AnyArray]:
        return self.base.parameters() | {"rho_nu": self.rho_nu}

    def noise(self, key: PRNGKeyArray) -> Float[Array, "2 dim"]:
        return t_noise(key, self.dim, self.rho_nu.dtype)

    def push(self, noise: Float[Array, "2 dim"]) -> tuple[Float[Array, " dim"], Scalar]:
        t = t_of(noise, self.nu)
        return self.base.color(t), log_t(t, self.nu) - self.base.log_det()

    def log_prob(self, z: Float[Array, " dim"]) -> Scalar:
        return log_t(self.base.whiten(z), self.nu) - self.base.log_det()

    def mean(self) -> Float[AnyArray, " dim"]:
        return self.base.mean()

    def std(self) -> Float[Array, " dim"]:
        return self.base.std() * jnp.sqrt(variance_of_t(self.nu))

    def cov(self) -> Float[Array, "dim dim"]:
        return self.base.cov() * variance_of_t(self.nu)


@with_parameters.register
def _(family: StudentT, given: Parameters) -> AbstractFamily:
    return StudentT(of_part(family.base, given), given["rho_nu"], family.fixed)


def rho_of(nu: float, dtype: np.dtype) -> Float[np.ndarray, ""]:
    """Compute the unconstrained number for so many degrees of freedom.

    Raises
    ------
    ArgumentError
        There are not more than two, which leaves no variance.
    """
    if not _FEWEST < nu < np.inf:
        raise ArgumentError(
            f"nu, the degrees of freedom, must be a number > 2, below which t has no variance; "
            f"got {nu!r}."
        )
    return np.asarray(inverse_softplus(np.asarray(nu - _FEWEST)), dtype)


def freedom(rho_nu: Float[AnyArray, ""]) -> Scalar:
    """Compute the degrees of freedom of an unconstrained number."""
    return _FEWEST + jax.nn.softplus(rho_nu)


def variance_of_t(nu: Scalar) -> Scalar:
    """Variance of t."""
    return nu / (nu - 2.0)


def t_noise(key: PRNGKeyArray, dim: int, dtype: np.dtype) -> Float[Array, "2 dim"]:
    """Draw what `t_of` makes into t: two uniforms for each element."""
    return jax.random.uniform(key, (2, dim), dtype, minval=np.finfo(dtype).tiny)


def t_of(noise: Float[Array, "2 dim"], nu: Scalar) -> Float[Array, " dim"]:
    r"""Make uniforms u, v into t: :math:`\sqrt{\nu (u^{-2/\nu} - 1)} \cos 2 \pi v`."""
    u, v = noise
    radius = jnp.sqrt(nu * jnp.expm1(-2.0 / nu * jnp.log(u)))
    return radius * jnp.cos(2.0 * jnp.pi * v)


def log_t(t: Float[Array, " dim"], nu: Scalar) -> Scalar:
    """Evaluate the log density of independent t."""
    half = 0.5 * (nu + 1.0)
    constant = jax.lax.lgamma(half) - jax.lax.lgamma(0.5 * nu) - 0.5 * jnp.log(nu * jnp.pi)
    return t.shape[0] * constant - half * jnp.sum(jnp.log1p(t**2 / nu))
