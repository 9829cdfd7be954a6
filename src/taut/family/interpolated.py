"""Latents given the globals, interpolated between points at which they are known."""

from typing import Self, final

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Float

from taut.arrays import AnyArray
from taut.family.base import AbstractFamily
from taut.family.conditional import AbstractConditional, Globals, Latents
from taut.family.particles import Particles

Draws = Float[np.ndarray, "draws globals"]
Each = Float[np.ndarray, "draws latents"]


@final
class InterpolatedConditional(AbstractConditional):
    r"""Means and log scales that are splines in the global unknowns.

    .. math:: f(\theta) = a + B x + \sum_k c_k \, |x - x_k|^3, \quad
              x = L^{-1} (\theta - \theta_0), \quad \sum_k c_k = 0, \; \sum_k c_k x_k = 0

    for each mean and each logarithm of a scale, with the coefficients by which it goes through
    given values at the points :math:`x_k`: natural cubic splines, in several dimensions. Memory
    and time are O(points x latents).

    Parameters
    ----------
    origin, whitening
        :math:`\theta_0` and the inverse of `L`.
    points
        :math:`x_k`.
    means, log_scales
        The coefficients `a`, `B` and `c`, one below the other.
    typical
        The root of the mean square of the scales, over the globals' distribution.

    References
    ----------
    Duchon (1977), Splines minimizing rotation-invariant semi-norms in Sobolev spaces.
    """

    origin: Float[AnyArray, " globals"]
    whitening: Float[AnyArray, "globals globals"]
    points: Float[AnyArray, "points globals"]
    means: Float[AnyArray, "features latents"]
    log_scales: Float[AnyArray, "features latents"]
    typical: Float[AnyArray, " latents"]

    @classmethod
    def through(
        cls,
        origin: Float[np.ndarray, " globals"],
        root: Float[np.ndarray, "globals globals"],
        theta: Draws,
        means: Each,
        log_scales: Each,
    ) -> Self:
        """Interpolate between points.

        Parameters
        ----------
        origin, root
            Mean of the globals, and a root of their covariance.
        theta, means, log_scales
            The points, and the values there.
        """
        whitening = np.linalg.inv(root)
        points = (theta - origin) @ whitening.T
        solve = _coefficients(points)
        parts = origin, whitening, points, solve @ means, solve @ log_scales
        return cls(*parts, np.ones(means.shape[1]))

    def at(self, theta: Draws) -> tuple[Each, Each]:
        """Return means and scales at many points, in NumPy's arrays."""
        x = np.asarray((theta - self.origin) @ self.whitening.T)
        features = _features(x, np.asarray(self.points))
        return features @ np.asarray(self.means), np.exp(features @ np.asarray(self.log_scales))

    def parameters(self) -> dict[str, AnyArray]:
        return {
            "origin": self.origin,
            "points": self.points,
            "means": self.means,
            "log_scales": self.log_scales,
        }

    def mean(self, theta: Globals) -> Latents:
        return self._features(theta) @ self.means

    def scale(self, theta: Globals) -> Latents:
        return jnp.exp(self._features(theta) @ self.log_scales)

    def average(self, outer: AbstractFamily) -> Latents:
        return self._every(outer).mean(axis=0) @ self.means

    def covariance(self, outer: AbstractFamily) -> Float[Array, "latents globals"]:
        away = self._away(outer)
        assert isinstance(outer, Particles)
        return jnp.asarray(self.means).T @ (away.T @ jnp.asarray(outer.histogram)) / len(away)

    def root(self, outer: AbstractFamily) -> Float[Array, "latents rank"]:
        away = self._away(outer)
        values, vectors = jnp.linalg.eigh(away.T @ away / len(away))
        return jnp.asarray(self.means).T @ (vectors * jnp.sqrt(jnp.maximum(values, 0.0)))

    def typical_scale(self) -> Latents:
        return jnp.asarray(self.typical)

    def _features(self, theta: Globals) -> Float[Array, " features"]:
        x = self.whitening @ (theta - self.origin)
        squares = jnp.sum((x - self.points) ** 2, axis=1)
        one = jnp.ones(1, x.dtype)
        return jnp.concatenate([one, x, squares * jnp.sqrt(squares)])

    def _away(self, outer: AbstractFamily) -> Float[Array, "particles features"]:
        every = self._every(outer)
        return every - every.mean(axis=0)

    def _every(self, outer: AbstractFamily) -> Float[Array, "particles features"]:
        assert isinstance(outer, Particles)
        return jax.vmap(self._features)(jnp.asarray(outer.histogram))


def cardinal_splines(x: Draws, points: Draws) -> Float[np.ndarray, "draws points"]:
    """Evaluate the natural splines that are one at one point, and zero at all others.

    Parameters
    ----------
    x
        Where they are evaluated.
    points
        The points.
    """
    return _features(x, points) @ _coefficients(points)


def _features(x: Draws, points: Draws) -> Float[np.ndarray, "draws features"]:
    cubes = scipy.spatial.distance.cdist(x, points) ** 3
    return np.hstack([np.ones((len(x), 1)), x, cubes])


def _coefficients(points: Draws) -> Float[np.ndarray, "features points"]:
    """Return the matrix that turns values at points into coefficients."""
    count, dim = points.shape
    trend = np.hstack([np.ones((count, 1)), points])
    system = np.zeros((count + dim + 1, count + dim + 1))
    system[:count, :count] = scipy.spatial.distance.cdist(points, points) ** 3
    system[:count, count:], system[count:, :count] = trend, trend.T
    found = np.linalg.solve(system, np.eye(count + dim + 1)[:, :count])
    return np.concatenate([found[count:], found[:count]])
