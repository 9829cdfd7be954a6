"""ADVI with one dense Gaussian."""

from collections.abc import Mapping
from typing import Any, final

from taut.approximation import Approximation, Group
from taut.method.inference import Inference
from taut.method.session import Session
from taut.objective import AbstractObjective, Gradient, as_objective


@final
class FullRankADVI(Inference):
    """Automatic differentiation variational inference, full rank.

    Maximises the ELBO over Gaussians with a dense covariance in the unconstrained space
    (`taut.family.FullRank`). Sees correlations; a step costs one gradient and O(dim²). It needs
    more steps, and a smaller learning rate, than `ADVI`: from some fifty dimensions on more than
    60 000, where `taut.BatchMatch` finds such a Gaussian with a few thousand gradients.

    Parameters
    ----------
    model
        A PyMC model, by default the one on the context, or a `taut.Target`.
    random_seed
        Decides the steps, and the draws that are given no seed of their own.
    start
        Values to start from, by variable; the others start at the model's initial point.
    start_sigma
        Standard deviations to start with, by variable, in the unconstrained space.
    beta
        Weight of the KL term; 1 for the posterior.
    gradient
        ``"total"`` as in PyMC, or ``"path"`` for sticking the landing.
    objective
        What is minimised in place of the ELBO, such as ``taut.objective.Renyi(alpha=0.5)``; then
        without `beta` and `gradient`.

    References
    ----------
    Kucukelbir et al. (2017), Automatic Differentiation Variational Inference.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model():
    ...     mu = pm.Normal("mu", 1.0, 2.0, shape=2)
    ...     approx = taut.FullRankADVI(random_seed=1).fit(500, progressbar=False)
    >>> approx.parameters["L_tril"].shape
    (3,)
    """

    def __init__(
        self,
        *,
        model: Any = None,
        random_seed: Any = None,
        start: Mapping[str, Any] | None = None,
        start_sigma: Mapping[str, Any] | None = None,
        beta: float = 1.0,
        gradient: Gradient = "total",
        objective: AbstractObjective | None = None,
    ) -> None:
        self._chosen = as_objective(objective, beta, gradient)
        group = Group(None, "fr", start=start, start_sigma=start_sigma)
        approx = Approximation([group], model=model, random_seed=random_seed)
        self._session = Session("FullRankADVI", approx)

    def _objective(self, n_mc: int | None) -> AbstractObjective:
        return self._chosen.with_draws(n_mc)
