"""ADVI with Gaussians of three forms: independent, dense, and of a few directions."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, final

from taut.approximation import Approximation
from taut.arguments import as_positive
from taut.method.inference import Inference
from taut.method.setup import Setup
from taut.objective import AbstractObjective, Gradient, as_objective


class AbstractADVI(Inference):
    """ADVI with Gaussians of a form that has no size."""

    @abstractmethod
    def _approximation(self, setup: Setup) -> Approximation:
        """Return the approximation of all variables, begun as a user says."""

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
        self._begin(self._approximation(Setup(model, random_seed, start, start_sigma)))

    def _objective(self, n_mc: int | None) -> AbstractObjective:
        return self._chosen.with_draws(n_mc)


@final
class ADVI(AbstractADVI):
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

    name = "advi"

    def _approximation(self, setup: Setup) -> Approximation:
        return setup.approximation("mf")

    @classmethod
    def of(cls, approx: Approximation) -> "ADVI":
        """Return the one that fits an approximation which is there, and mean field."""
        advi = object.__new__(cls)
        advi._chosen = as_objective(None, 1.0, "total")
        advi._begin(approx)
        return advi


@final
class FullRankADVI(AbstractADVI):
    """Automatic differentiation variational inference, full rank.

    Maximises the ELBO over Gaussians with a dense covariance in the unconstrained space
    (`taut.family.FullRank`). Sees correlations; a step costs one gradient and O(dim²). It needs
    more steps, and a smaller learning rate, than `ADVI`: from some fifty dimensions on more than
    60 000, where `taut.BatchMatch` finds such a Gaussian with a few thousand gradients.

    Parameters
    ----------
    model, random_seed, start, start_sigma, beta, gradient, objective
        As of `taut.ADVI`.

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

    name = "fullrank_advi"

    def _approximation(self, setup: Setup) -> Approximation:
        return setup.approximation("fr")


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
    model, random_seed, start, start_sigma, beta, gradient, objective
        As of `taut.ADVI`.

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

    name = "lowrank_advi"

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
        self._begin(Setup(model, random_seed, start, start_sigma).approximation("lr", rank=rank))

    def _objective(self, n_mc: int | None) -> AbstractObjective:
        return self._chosen.with_draws(n_mc)
