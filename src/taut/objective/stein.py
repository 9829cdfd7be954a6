"""The Stein operator as an objective: for particles, and for whatever draws they come from."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree, Scalar

from taut.arrays import AnyArray
from taut.engine import map_draws
from taut.family import AbstractFamily, Particles
from taut.objective.base import AbstractObjective
from taut.objective.stein_kernel import RBF, AbstractKernel
from taut.target import Target


class Stein(AbstractObjective):
    r"""Move draws along the direction in which they approach the target fastest.

    .. math:: \phi(x_i) = \frac1n \sum_j k(x_j, x_i) \, \nabla \log p(x_j) / T
              + \nabla_{x_j} k(x_j, x_i)

    The gradient in the parameters is :math:`-\sum_i \phi(x_i)^\top \partial x_i`; the value is the
    squared kernelised Stein discrepancy between draws and target, in the kernel's own units: zero
    where they agree, and no ELBO.

    Parameters
    ----------
    kernel
        Compares draws.
    temperature
        :math:`T` > 1 spreads the draws more.
    n_mc
        Draws :math:`n`, or `None` for all the points of `taut.family.Particles`.

    References
    ----------
    Liu, Wang (2016), Stein Variational Gradient Descent.
    Wang, Feng, Liu (2016), Learning to Sample Using Stein Discrepancy.
    """

    kernel: AbstractKernel = RBF()
    temperature: Float[AnyArray, ""] = eqx.field(default_factory=lambda: np.asarray(1.0))
    n_mc: int | None = eqx.field(static=True, default=None)

    def with_draws(self, n_mc: int | None) -> "Stein":
        return self if n_mc is None else Stein(self.kernel, self.temperature, n_mc)

    def noise(self, family: AbstractFamily, key: PRNGKeyArray) -> PyTree:
        if self.n_mc is None:
            assert isinstance(family, Particles)
            return jnp.arange(family.histogram.shape[0])
        return jax.vmap(family.noise)(jax.random.split(key, self.n_mc))

    def loss(self, family: AbstractFamily, target: Target, batch: PyTree, noise: PyTree) -> Scalar:
        x = jax.vmap(lambda own: family.push(own)[0])(noise)
        direction, discrepancy = self._direction(jax.lax.stop_gradient(x), target, batch)
        # Its value is the discrepancy, its gradient that of the draws along the direction.
        along = -jnp.sum(direction * x)
        return discrepancy + along - jax.lax.stop_gradient(along)

    def _direction(
        self, x: Float[Array, "n dim"], target: Target, batch: PyTree
    ) -> tuple[Float[Array, "n dim"], Scalar]:
        def score(z: Float[Array, " dim"]) -> Float[Array, " dim"]:
            return jax.grad(target.log_density)(z, batch)

        scores = map_draws(score, x, target.rows_of(batch))
        pull, push, discrepancy = self.kernel.stein(x, scores)
        return pull / jnp.asarray(self.temperature, x.dtype) + push, discrepancy
