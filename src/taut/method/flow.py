"""Variational inference with a normalizing flow."""

from collections.abc import Mapping
from typing import Any, final

import jax
import numpy as np

from taut.approximation import Approximation
from taut.errors import ArgumentError
from taut.family import (
    AbstractFamily,
    AbstractLocationScale,
    Architecture,
    Flow,
    FullRank,
    Layers,
    LowRank,
    Transformer,
)
from taut.gaussian import as_dense, as_normal
from taut.method.inference import Inference
from taut.method.setup import Setup
from taut.objective import AbstractObjective, Gradient, as_elbo, as_objective
from taut.optimizer import adam

# Draws of a step, rate and bound of the gradient's norm that served bananas, funnels and centred
# hierarchies alike.
_DRAWS, _RATE, _MAX_NORM = 32, 3e-3, 10.0
# The dimension up to which the base is dense where none is given.
_DENSE = 500


@final
class FlowVI(Inference):
    """Maximise the ELBO over normalizing flows around a Gaussian.

    For posteriors whose shape no Gaussian has: bananas, funnels, skew (`taut.family.Flow`). The
    flow begins as its base and works in the coordinates the base whitens, so a good base is half
    the fit: give it that of `FullRankADVI`. Neither finds separate modes.

    A step costs 32 gradients, and O(32 · layers · width · dim) for the flow; the first step
    compiles for some seconds. By default steps are those of ``taut.adam(learning_rate=3e-3)``, and
    the gradient's norm is bounded by 10 (``total_grad_norm_constraint=float("inf")`` in `fit` for
    no bound); 2 000 of them are a good first run.

    Parameters
    ----------
    base
        Where the flow begins: an approximation, such as ``taut.fit(method="fullrank_advi")``, or a
        `taut.family.FullRank`, `taut.family.LowRank` or `taut.family.MeanField`. Of any other
        approximation the dense Gaussian with its moments is taken. By default an uncorrelated
        Gaussian at the start point.
    layers, width, depth
        Layers of the flow, and neurons and hidden layers of the network in each.
    transformer
        ``"affine"``, or ``"spline"``: monotone rational quadratic, within 5 standard deviations.
    architecture
        ``"coupling"``, or ``"autoregressive"``, whose layers say more and whose density at given
        points costs `dim` times as much.
    nu
        Degrees of freedom of Student-t noise to start with; normal noise by default.
    model
        A PyMC model, by default that of `base`, or the one on the context, or a `taut.Target`.
    random_seed
        Decides the steps, and the draws that are given no seed of their own.
    start, start_sigma
        As in `taut.ADVI`, where no base is given.
    beta
        Weight of the KL term; 1 for the posterior.
    gradient
        ``"path"`` for sticking the landing, the default of couplings, or ``"total"``, that of
        autoregressive layers, where it saves the costly density.
    objective
        What is minimised in place of the ELBO, such as ``taut.objective.Renyi(alpha=0.5)``; then
        without `beta` and `gradient`.

    Raises
    ------
    ArgumentError
        An argument makes no sense, or `base` is of another dimension.

    References
    ----------
    Rezende, Mohamed (2015), Variational Inference With Normalizing Flows.
    Agrawal, Sheldon, Domke (2020), Advances in Black-Box VI: Normalizing Flows, Importance
    Weighting, and Optimization.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model():
    ...     x = pm.Normal("x", 0.0, 1.0)
    ...     y = pm.Normal("y", x**2, 0.5)
    ...     flow = taut.FlowVI(layers=2, width=8, random_seed=1)
    >>> approx = flow.fit(100, progressbar=False)
    >>> type(approx.family).__name__
    'Flow'
    """

    name = "flow"

    def __init__(
        self,
        base: Approximation | AbstractLocationScale | None = None,
        *,
        layers: int = 6,
        width: int = 32,
        depth: int = 1,
        transformer: Transformer = "affine",
        architecture: Architecture = "coupling",
        nu: float | None = None,
        model: Any = None,
        random_seed: Any = None,
        start: Mapping[str, Any] | None = None,
        start_sigma: Mapping[str, Any] | None = None,
        beta: float = 1.0,
        gradient: Gradient | None = None,
        objective: AbstractObjective | None = None,
    ) -> None:
        shape = Layers(layers, width, depth, transformer, architecture)
        if objective is None:
            own: Gradient = "path" if architecture == "coupling" else "total"
            self._chosen: AbstractObjective = as_elbo(beta, gradient or own).with_draws(_DRAWS)
        else:
            self._chosen = as_objective(objective, beta, gradient or "total")
        if base is not None and (start is not None or start_sigma is not None):
            raise ArgumentError("base is where the flow begins: leave start and start_sigma out.")
        if model is None and isinstance(base, Approximation):
            model = base.target if base.model is None else base.model
        approx = Setup(model, random_seed, start, start_sigma).approximation("mf")
        approx.show(Flow.around(_base(base, approx), shape, nu=nu))
        self._begin(approx)
        self._optimizer, self._max_norm = adam(learning_rate=_RATE), _MAX_NORM

    def _objective(self, n_mc: int | None) -> AbstractObjective:
        return self._chosen.with_draws(n_mc)


def _base(
    given: Approximation | AbstractLocationScale | None, approx: Approximation
) -> AbstractLocationScale:
    """Make a Gaussian of what is given, with the dimension and dtype of an approximation."""
    with approx.target.precision():
        if given is None:
            mean, std = (np.asarray(x) for x in (approx.family.mean(), approx.family.std()))
            kind = FullRank if approx.target.dim <= _DENSE else LowRank
            base: AbstractLocationScale = kind.at(mean, std)
        else:
            base = _gaussian(given.family if isinstance(given, Approximation) else given)
    if base.dim != approx.target.dim:
        raise ArgumentError(
            f"base has {base.dim} dimensions, and the model {approx.target.dim} in the "
            "unconstrained space. Give an approximation of the same model."
        )
    return jax.tree.map(lambda leaf: np.asarray(leaf, approx.target.dtype), base)


def _gaussian(family: AbstractFamily) -> AbstractLocationScale:
    if isinstance(family, AbstractLocationScale):
        return family
    if not isinstance(family, AbstractFamily):
        raise ArgumentError(f"base must be an approximation, got {family!r}.")
    normal = as_normal(family)
    if normal is not None:
        return FullRank.of(normal.mean, as_dense(normal).root)
    cholesky = np.linalg.cholesky(np.asarray(family.cov(), float))
    return FullRank.of(np.asarray(family.mean()), cholesky)
