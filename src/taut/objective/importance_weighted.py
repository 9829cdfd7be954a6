"""The importance-weighted bound."""

import equinox as eqx
import jax
from jaxtyping import PRNGKeyArray, PyTree, Scalar

from taut.family import AbstractFamily
from taut.objective.base import AbstractObjective
from taut.objective.estimator import total
from taut.objective.log_weights import Estimator, log_weights, renyi_bound
from taut.target import Target


class IWELBO(AbstractObjective):
    r"""The negative importance-weighted evidence lower bound.

    .. math:: -L_K = -\log \frac1K \sum_{k=1}^K \frac{p(y, z_k)}{q(z_k)}, \quad z_k \sim q

    In nats, at the scale of all rows. With one draw it is the ELBO; with more it comes nearer to
    the log evidence, and q covers the posterior more widely, as a proposal for importance
    sampling has to. An evaluation costs K gradients. With batches of rows the weights are those
    of a batch, and the bound holds no more: use `ELBO` there.

    Parameters
    ----------
    n_mc
        Draws :math:`K` (``obj_n_mc`` in a fit).
    estimator
        `taut.objective.total`, whose noise swamps the gradient as K grows, or
        `taut.objective.path`: doubly reparametrised, without noise where q is the posterior.

    References
    ----------
    Burda, Grosse, Salakhutdinov (2016), Importance Weighted Autoencoders.
    Domke, Sheldon (2018), Importance Weighting and Variational Inference.
    Tucker, Lawson, Gu, Maddison (2019), Doubly Reparameterized Gradient Estimators for Monte
    Carlo Objectives.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model():
    ...     mu = pm.Normal("mu", 1.0, 2.0)
    ...     wide = taut.objective.IWELBO(n_mc=10, estimator=taut.objective.path)
    ...     approx = taut.ADVI(objective=wide, random_seed=1).fit(200, progressbar=False)
    """

    n_mc: int = eqx.field(static=True, default=10)
    estimator: Estimator = eqx.field(static=True, default=total)

    def with_draws(self, n_mc: int | None) -> "IWELBO":
        return self if n_mc is None else IWELBO(n_mc, self.estimator)

    def noise(self, family: AbstractFamily, key: PRNGKeyArray) -> PyTree:
        return jax.vmap(family.noise)(jax.random.split(key, self.n_mc))

    def loss(self, family: AbstractFamily, target: Target, batch: PyTree, noise: PyTree) -> Scalar:
        log_w = log_weights(family, target, batch, noise, self.estimator)
        # The bound of order 0: weights as they are.
        return -renyi_bound(log_w, 0.0, self.estimator)
