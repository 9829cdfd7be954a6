"""ADVI with independent Gaussians."""

from collections.abc import Mapping
from typing import Any, final

from taut.approximation import Approximation, Group
from taut.method.inference import Inference
from taut.method.session import Session
from taut.objective import AbstractObjective, Gradient, as_objective


@final
class ADVI(Inference):
    """Automatic differentiation variational inference, mean field.

    Maximises the ELBO over independent Gaussians in the unconstrained space (`taut.family.
    MeanField`). The method for large models and a first look: a step costs one gradient and
    O(dim). It does not see correlations, and its standard deviations are then too small;
    `FullRankADVI` sees them.

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
        ``"total"`` as in PyMC, or ``"path"`` for sticking the landing, whose noise vanishes where
        the family contains the posterior.
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
    ...     mu = pm.Normal("mu", 1.0, 2.0)
    ...     advi = taut.ADVI(random_seed=1)
    >>> approx = advi.fit(2000, progressbar=False)
    >>> approx = advi.refine(1000, progressbar=False)
    >>> len(advi.hist)
    3000
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
        group = Group(None, "mf", start=start, start_sigma=start_sigma)
        approx = Approximation([group], model=model, random_seed=random_seed)
        self._session = Session("ADVI", approx)

    def _objective(self, n_mc: int | None) -> AbstractObjective:
        return self._chosen.with_draws(n_mc)
