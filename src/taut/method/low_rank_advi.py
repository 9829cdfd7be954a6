"""ADVI with a Gaussian of a diagonal and a few directions."""

from collections.abc import Mapping
from typing import Any, final

from taut.approximation import Approximation, Group
from taut.arguments import as_positive
from taut.method.inference import Inference
from taut.method.session import Session
from taut.objective import AbstractObjective, Gradient, as_objective


@final
class LowRankADVI(Inference):
    r"""Automatic differentiation variational inference, diagonal plus low rank.

    Maximises the ELBO over Gaussians with covariance
    :math:`\operatorname{diag}(\sigma^2) + F F^\top` in the unconstrained space
    (`taut.family.LowRank`). Sees the strongest correlations where `FullRankADVI` is too large: a
    step costs one gradient and O(dim · rank²), and no array is larger than dim x rank.

    Parameters
    ----------
    rank
        Directions; by default the root of the dimension, at most 20.
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

    Raises
    ------
    ArgumentError
        An argument makes no sense.

    References
    ----------
    Ong, Nott, Smith (2018), Gaussian Variational Approximation With a Factor Covariance
    Structure.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model():
    ...     mu = pm.Normal("mu", 1.0, 2.0, shape=9)
    ...     approx = taut.LowRankADVI(rank=2, random_seed=1).fit(500, progressbar=False)
    >>> approx.parameters["factor"].shape
    (9, 2)
    """

    def __init__(
        self,
        rank: int | None = None,
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
        rank = None if rank is None else as_positive("rank", rank)
        group = Group(None, "lr", start=start, start_sigma=start_sigma, rank=rank)
        approx = Approximation([group], model=model, random_seed=random_seed)
        self._session = Session("LowRankADVI", approx)

    def _objective(self, n_mc: int | None) -> AbstractObjective:
        return self._chosen.with_draws(n_mc)
