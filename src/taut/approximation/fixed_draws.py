"""The ELBO of a Gaussian family on draws that stay the same, which Newton's method can minimise."""

from functools import partial
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree, Scalar

from taut.arrays import AnyArray
from taut.engine import map_draws
from taut.family import AbstractFamily, HostGaussian
from taut.target import Target

# Draws from which the curvature of log q is told, which only decides units.
_UNIT_DRAWS = 32


class Chart(eqx.Module):
    r"""Coordinates of a Gaussian family around one of its members.

    .. math:: x = (w, t), \quad \mu = \mu_0 + J w, \quad s = s_0 + u \odot t

    with :math:`J = \partial T / \partial \epsilon`, so that :math:`J J^\top` is the covariance,
    and units `u` in which the curvature of the entropy is about one. Near the optimum the Hessian
    then is near the identity, whatever the scales of the posterior.

    Parameters
    ----------
    origin
        The member at zero.
    units
        Of the parameters other than the mean.
    """

    origin: AbstractFamily
    units: Float[AnyArray, " scales"]

    def family(self, t: Float[Array, " scales"]) -> AbstractFamily:
        """Return the member with these scales, and the mean of the origin."""
        scales, means = _parts(self.origin)
        flat, unravel = ravel_pytree(scales)
        return eqx.combine(unravel(flat + self.units * t), means)

    def shift(self, w: Float[Array, " noise"]) -> Float[Array, " dim"]:
        """Compute how far the mean moves."""
        flat, unravel = ravel_pytree(self.origin.noise(jax.random.key(0)))
        zero = jnp.zeros_like(flat)
        return jax.jvp(lambda e: self.origin.push(unravel(e))[0], (zero,), (w,))[1]

    def pull(self, v: Float[Array, " dim"]) -> Float[Array, " noise"]:
        """Apply the transpose of `shift`."""
        flat, _ = ravel_pytree(self.origin.noise(jax.random.key(0)))
        return jax.linear_transpose(self.shift, flat)(v)[0]


class FixedDraws:
    r"""A Gaussian family's negative ELBO on a fixed set of draws, in the coordinates of `Chart`.

    .. math:: \frac1S \sum_s \log q(z_s) - \log p(y, z_s), \quad z_s = T_\lambda(\epsilon_s)

    The noise comes in pairs of opposite sign, and has the second moments of a standard normal:
    all of them where there are more draws than dimensions, else each variance. So the mean of any
    quadratic log density in the parameters of a mean field, and for the others of all, is exact.

    Parameters
    ----------
    family
        Where to begin.
    target
        What is approximated.
    draws
        How many, at least; a family with correlations needs four for each dimension.
    random
        Decides them.
    """

    def __init__(
        self, family: AbstractFamily, target: Target, draws: int, random: np.random.Generator
    ) -> None:
        self.target, self.gradients = target, 0
        units, zero = target.programs(_units, family)
        self.chart = Chart(family, units)
        self.noise = _noise(zero, family, draws, random)
        self.sizes = zero.size, len(units)

    def parts(self) -> tuple[Chart, np.ndarray, int]:
        """Return all but the target, with NumPy's arrays, whose precision pickle keeps."""
        return jax.tree.map(np.asarray, self.chart), self.noise, self.gradients

    @classmethod
    def of_parts(cls, target: Target, chart: Chart, noise: np.ndarray, gradients: int) -> Self:
        """Make one of a target, and of what `parts` returned."""
        made = cls.__new__(cls)
        made.target, made.chart, made.noise, made.gradients = target, chart, noise, gradients
        made.sizes = noise.shape[1], len(chart.units)
        return made

    def value_and_slope(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Evaluate the objective and its gradient."""
        self.gradients += len(self.noise)
        value, slope = self.target.programs(
            _value_and_slope, self.chart, self.target, self.noise, self._cut(x)
        )
        return float(value), np.concatenate(slope).astype(float)

    def curvature(self, x: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """Multiply the Hessian at a point with a vector."""
        self.gradients += 2 * len(self.noise)
        product = self.target.programs(
            _curvature, self.chart, self.target, self.noise, self._cut(x), self._cut(direction)
        )
        return np.concatenate(product).astype(float)

    def shift(self, x: np.ndarray) -> np.ndarray:
        """Compute how far the mean is from the origin's."""
        return np.asarray(self.target.programs(_shift, self.chart, self._cut(x)[0]), float)

    def pull(self, v: np.ndarray) -> np.ndarray:
        """Apply the transpose of `shift`."""
        pulled = self.target.programs(_pull, self.chart, v.astype(self.target.dtype))
        return np.concatenate([np.asarray(pulled, float), np.zeros(self.sizes[1])])

    def _cut(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = x.astype(self.target.dtype)
        return x[: self.sizes[0]], x[self.sizes[0] :]


def is_gaussian(family: AbstractFamily) -> bool:
    """Return whether a family is a Gaussian."""
    return isinstance(family.on_host(), HostGaussian)


def _parts(family: AbstractFamily) -> tuple[PyTree, PyTree]:
    """Cut a family into its scales and its means."""

    def is_scale(path: Any, leaf: Any) -> bool:
        return eqx.is_inexact_array(leaf) and getattr(path[-1], "name", "") != "mu"

    return eqx.partition(family, jax.tree_util.tree_map_with_path(is_scale, family))


def _noise(
    zero: np.ndarray, family: AbstractFamily, draws: int, random: np.random.Generator
) -> np.ndarray:
    """Draw pairs of noise whose second moments are exact, each as one flat vector."""
    dim = zero.size
    host = family.on_host()
    if not (isinstance(host, HostGaussian) and host.is_diagonal):
        draws = max(draws, 4 * dim)
    half = random.normal(size=(-(-draws // 2), dim))
    if len(half) >= 2 * dim:
        factor = np.linalg.cholesky(half.T @ half / len(half))
        half = np.linalg.solve(factor, half.T).T
    else:
        half /= np.sqrt(np.mean(half**2, axis=0))
    return np.concatenate([half, -half]).astype(zero.dtype)


def _units(family: AbstractFamily) -> tuple[Array, Array]:
    """Estimate the units of the scales, by the Fisher information; return them with zero noise."""
    scales, means = _parts(family)
    flat, unravel = ravel_pytree(scales)

    def log_prob(flat: Array, z: Array) -> Scalar:
        return eqx.combine(unravel(flat), means).log_prob(z)

    def add(total: Array, key: Array) -> tuple[Array, None]:
        return total + jax.grad(log_prob)(flat, family.sample(key)) ** 2, None

    keys = jax.random.split(jax.random.key(0), _UNIT_DRAWS)
    total, _ = jax.lax.scan(add, jnp.zeros_like(flat), keys)
    mean = total / _UNIT_DRAWS
    # What log q does not depend on, as above a triangle or but for rounding, has no unit.
    is_seen = mean > jnp.finfo(mean.dtype).eps * mean.max()
    units = jnp.where(is_seen, jnp.where(is_seen, mean, 1.0) ** -0.5, 1.0)
    return units, jnp.zeros_like(ravel_pytree(family.noise(keys[0]))[0])


def _objective(chart: Chart, target: Target, noise: Array, x: tuple[Array, Array]) -> Scalar:
    w, t = x
    family, shift = chart.family(t), chart.shift(w)
    _, unravel = ravel_pytree(chart.origin.noise(jax.random.key(0)))

    def one(noise: Float[Array, " noise"]) -> Scalar:
        z, log_q = family.push(unravel(noise))
        return log_q - target.log_density(z + shift)

    return jnp.mean(map_draws(one, noise, target.rows_of(target.whole)))


def _value_and_slope(
    chart: Chart, target: Target, noise: Array, x: tuple[Array, Array]
) -> tuple[Scalar, tuple[Array, Array]]:
    return jax.value_and_grad(partial(_objective, chart, target, noise))(x)


def _curvature(
    chart: Chart,
    target: Target,
    noise: Array,
    x: tuple[Array, Array],
    direction: tuple[Array, Array],
) -> tuple[Array, Array]:
    slope = jax.grad(partial(_objective, chart, target, noise))
    return jax.jvp(slope, (x,), (direction,))[1]


def _shift(chart: Chart, w: Array) -> Array:
    return chart.shift(w)


def _pull(chart: Chart, v: Array) -> Array:
    return chart.pull(v)
