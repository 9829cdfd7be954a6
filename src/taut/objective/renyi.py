"""Rényi's bound."""

import math

import equinox as eqx
import jax
from jaxtyping import PRNGKeyArray, PyTree, Scalar

from taut.errors import ArgumentError
from taut.family import AbstractFamily
from taut.objective.base import AbstractObjective
from taut.objective.estimator import total
from taut.objective.log_weights import Estimator, log_weights, renyi_bound
from taut.target import Target


class Renyi(AbstractObjective):
    r"""The negative variational Rényi bound.

    .. math:: -L_\alpha = -\frac{1}{1 - \alpha} \log \frac1S \sum_{s=1}^S
              \left( \frac{p(y, z_s)}{q(z_s)} \right)^{1 - \alpha}, \quad z_s \sim q

    In nats, at the scale of all rows; it estimates :math:`D_\alpha(q \| p)` less the log evidence,
    with a bias that falls as 1/S. Below 1 the order makes q cover the posterior more widely, above
    1 more narrowly; at 1 it is the ELBO, at 0 `IWELBO`, and below 0 an upper bound of the log
    evidence but for the bias. An evaluation costs S gradients. With batches of rows the weights
    are those of a batch, and the bound holds no more: use `ELBO` there.

    Parameters
    ----------
    alpha
        The order.
    n_mc
        Draws :math:`S` (``obj_n_mc`` in a fit). With one it is the ELBO, whatever the order.
    estimator
        `taut.objective.total`, or `taut.objective.path`: doubly reparametrised, without noise
        where q is the posterior.

    Raises
    ------
    ArgumentError
        The order is no finite number.

    References
    ----------
    Li, Turner (2016), Rényi Divergence Variational Inference.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model():
    ...     mu = pm.Normal("mu", 1.0, 2.0)
    ...     wide = taut.objective.Renyi(alpha=0.5, n_mc=10)
    ...     approx = taut.ADVI(objective=wide, random_seed=1).fit(200, progressbar=False)
    """

    alpha: float = eqx.field(static=True, default=0.5)
    n_mc: int = eqx.field(static=True, default=10)
    estimator: Estimator = eqx.field(static=True, default=total)

    def __check_init__(self) -> None:
        number = isinstance(self.alpha, int | float) and not isinstance(self.alpha, bool)
        if not number or not math.isfinite(self.alpha):
            raise ArgumentError(f"alpha, the order, must be a finite number, got {self.alpha!r}.")

    def with_draws(self, n_mc: int | None) -> "Renyi":
        return self if n_mc is None else Renyi(self.alpha, n_mc, self.estimator)

    def noise(self, family: AbstractFamily, key: PRNGKeyArray) -> PyTree:
        return jax.vmap(family.noise)(jax.random.split(key, self.n_mc))

    def loss(self, family: AbstractFamily, target: Target, batch: PyTree, noise: PyTree) -> Scalar:
        log_w = log_weights(family, target, batch, noise, self.estimator)
        return -renyi_bound(log_w, self.alpha, self.estimator)
