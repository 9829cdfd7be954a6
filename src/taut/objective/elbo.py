"""The evidence lower bound."""

from collections.abc import Callable
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree, Scalar

from taut.arguments import as_number
from taut.arrays import AnyArray
from taut.engine import map_draws
from taut.errors import ArgumentError
from taut.family import AbstractFamily
from taut.objective.base import AbstractObjective
from taut.objective.estimator import path, total
from taut.target import Target


class ELBO(AbstractObjective):
    r"""The negative evidence lower bound, averaged over draws.

    .. math:: -\mathrm{ELBO}_\beta = \frac1S \sum_{s=1}^S \bigl[
              \beta \, (\log q(z_s) - \log p(z_s)) - \log p(y \mid z_s) \bigr],
              \quad z_s \sim q

    In nats, at the scale of all rows also where a step reads a batch of them.

    Parameters
    ----------
    n_mc
        Draws :math:`S` for one estimate (PyMC's ``obj_n_mc``).
    beta
        Weight of the KL term; 1 for the evidence lower bound.
    estimator
        `taut.objective.total` or `taut.objective.path`.

    References
    ----------
    Kucukelbir et al. (2017), Automatic Differentiation Variational Inference.
    Higgins et al. (2017), beta-VAE.
    """

    n_mc: int = eqx.field(static=True, default=1)
    beta: Float[AnyArray, ""] = eqx.field(default_factory=lambda: np.asarray(1.0))
    estimator: Callable[..., tuple[Array, Scalar]] = eqx.field(static=True, default=total)

    def with_draws(self, n_mc: int | None) -> "ELBO":
        return self if n_mc is None else ELBO(n_mc, self.beta, self.estimator)

    def noise(self, family: AbstractFamily, key: PRNGKeyArray) -> Float[Array, "n_mc noise"]:
        return jax.vmap(family.noise)(jax.random.split(key, self.n_mc))

    def loss(
        self,
        family: AbstractFamily,
        target: Target,
        batch: PyTree,
        noise: Float[Array, "n_mc noise"],
    ) -> Scalar:
        def one(noise: Float[Array, " noise"]) -> Scalar:
            z, log_q = self.estimator(family, noise)
            log_prior, log_likelihood = target.split(z, batch)
            return jnp.asarray(self.beta, log_q.dtype) * (log_q - log_prior) - log_likelihood

        return jnp.mean(map_draws(one, noise, target.rows_of(batch)))


Gradient = Literal["total", "path"]
_ESTIMATORS = {"total": total, "path": path}


def as_elbo(beta: float, gradient: Gradient) -> ELBO:
    """Build the ELBO of the words a user says.

    Raises
    ------
    ArgumentError
        `beta` is no positive number, or `gradient` no known estimator.
    """
    beta = as_number("beta, the weight of the KL term,", beta)
    if gradient not in _ESTIMATORS:
        raise ArgumentError(f'gradient must be "total" or "path", got {gradient!r}.')
    return ELBO(beta=np.asarray(beta, float), estimator=_ESTIMATORS[gradient])


def as_objective(
    objective: AbstractObjective | None, beta: float, gradient: Gradient
) -> AbstractObjective:
    """Take the objective a user gives, or build the ELBO of their words.

    Raises
    ------
    ArgumentError
        It is no objective, or there are words as well.
    """
    elbo = as_elbo(beta, gradient)
    if objective is None:
        return elbo
    if not isinstance(objective, AbstractObjective):
        raise ArgumentError(
            "objective must be one of taut.objective, such as taut.objective.Renyi(alpha=0.5), "
            f"got {objective!r}."
        )
    if (beta, gradient) != (1.0, "total"):
        raise ArgumentError(
            "beta and gradient are the ELBO's, and objective is given. Give them to the "
            "objective: taut.objective.ELBO(beta=..., estimator=taut.objective.path)."
        )
    return objective
