"""Descent on the ELBO, for any approximation."""

from typing import final

from taut.approximation import Approximation
from taut.errors import ArgumentError
from taut.family import has_density
from taut.method.inference import Inference
from taut.method.session import check_approximation
from taut.objective import AbstractObjective, Gradient, as_objective


@final
class KLqp(Inference):
    r"""Maximise the ELBO over any approximation with a density.

    .. math:: \mathrm{ELBO}_\beta = E_q \log p(y \mid z) - \beta \, \mathrm{KL}(q \,\|\, p)

    Parameters
    ----------
    approx
        What is fitted, such as ``taut.Approximation([taut.Group([mu], "fr"),
        taut.Group(None, "mf")])``.
    beta
        Weight of the KL term; 1 for the posterior.
    gradient
        ``"total"`` as in PyMC, or ``"path"`` for sticking the landing.
    objective
        What is minimised in place of the ELBO, such as ``taut.objective.Renyi(alpha=0.5)``; then
        without `beta` and `gradient`.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model():
    ...     mu = pm.Normal("mu", 1.0, 2.0, shape=3)
    ...     approx = taut.Approximation([taut.Group([mu], vfam="lr")], random_seed=1)
    >>> taut.KLqp(approx).fit(200, progressbar=False) is approx
    True
    """

    def __init__(
        self,
        approx: Approximation,
        beta: float = 1.0,
        *,
        gradient: Gradient = "total",
        objective: AbstractObjective | None = None,
    ) -> None:
        check_approximation("KLqp", approx)
        if not has_density(approx.family):
            raise ArgumentError(
                "KLqp needs the density of an approximation, and particles have none. "
                "Fit them by taut.SVGD or taut.ImplicitGradient."
            )
        self._chosen = as_objective(objective, beta, gradient)
        self._begin(approx)

    def _objective(self, n_mc: int | None) -> AbstractObjective:
        return self._chosen.with_draws(n_mc)
