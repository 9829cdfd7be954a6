"""Draws, as a user asks for them."""

from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from taut.approximation.drawing import all_of
from taut.approximation.evaluation import log_densities
from taut.approximation.fitted import Fitted
from taut.arguments import as_flag, as_positive
from taut.errors import ArgumentError

# Rows that draws may read for their densities.
_MOST_READ = 100_000_000


def sample(
    approx: Fitted,
    draws: int = 500,
    *,
    random_seed: Any = None,
    return_inferencedata: bool = True,
    include_transformed: bool | None = None,
    importance: Literal["psis"] | None = None,
) -> Any:
    """Draw from the approximation, or by its means from the posterior.

    Parameters
    ----------
    draws
        How many. With the same seed, fewer draws are the first of more.
    random_seed
        Seed of the draws; without it each call gives fresh ones, which the seed of the fit
        decides.
    return_inferencedata
        Whether to return a `xarray.DataTree` for ArviZ, or a `pymc` MultiTrace.
    include_transformed
        Whether the group ``posterior`` holds the unconstrained variables too; by default what
        the fit was told.
    importance
        ``"psis"`` for draws that are closer to the posterior than the approximation is: of
        four times as many draws, and at least 4000, these are chosen by Pareto smoothed
        importance weights (`taut.diagnose.psis`), by systematic resampling. Costs as many
        evaluations of the log density. Draws may repeat, and more draws have not the fewer
        among them. ``sample_stats`` has the ``log_weight`` of each draw, and as attributes
        ``khat``, ``khat_se``, ``importance_ess`` and ``importance_draws``.

    Returns
    -------
    xarray.DataTree
        One chain, in the groups ``posterior`` (constrained variables and deterministics, with
        dims and coords), ``unconstrained_posterior``, ``sample_stats`` (``log_q``: log density
        of q, and ``lp``: log joint density of the model, both in the unconstrained space, in
        nats; ``lp`` is left out where it would read a source, or more than 10⁸ rows), ``fit``
        (``loss`` by step), ``observed_data`` and ``constant_data``.

    Raises
    ------
    ArgumentError
        `draws` is not a positive integer, or weights are asked for of particles, which have
        no density.
    NotFiniteError
        The log density at some draw is no weight.

    Warns
    -----
    UserWarning
        k-hat is above 0.7, and weights do not make up for the distance to the posterior.
    """
    draws = as_positive("draws", draws)
    if importance not in (None, "psis"):
        raise ArgumentError(f'importance must be None or "psis", got {importance!r}.')
    weights = None
    if importance is None:
        drawn = _drawn(approx, draws, random_seed)
    else:
        from taut.approximation.importance import importance_draws

        drawn, weights = importance_draws(approx.state, draws, approx.words(random_seed))
    if not as_flag("return_inferencedata", return_inferencedata):
        from taut.frontend.pymc import multi_trace

        return multi_trace(approx.model, drawn["unconstrained"] | drawn["constrained"])
    record = approx.record
    shown = record.include_transformed if include_transformed is None else include_transformed
    include_transformed = as_flag("include_transformed", shown)
    from taut.approximation.datatree import draws_to_datatree, with_weights

    tree = draws_to_datatree(approx.model, approx.state, record, drawn, include_transformed)
    return tree if weights is None else with_weights(tree, weights)


def unconstrained_draws(
    approx: Fitted, draws: int, random_seed: Any = None
) -> Float[np.ndarray, "draws dim"]:
    """Draw flat vectors in the unconstrained space, one a row."""
    draws = as_positive("draws", draws)
    drawn = _drawn(approx, draws, random_seed)["unconstrained"]
    space = approx.target.space
    return np.stack([space.ravel({k: v[i] for k, v in drawn.items()}) for i in range(draws)])


def sample_dict_fn(
    approx: Fitted, draws: int = 100, *, random_seed: Any = None
) -> dict[str, np.ndarray]:
    """Draw raw arrays by value variable, in the unconstrained space."""
    draws = as_positive("draws", draws)
    return _drawn(approx, draws, random_seed)["unconstrained"]


def _drawn(approx: Fitted, draws: int, random_seed: Any) -> dict[str, Any]:
    words, state = approx.words(random_seed), approx.state
    drawn = all_of(state.target, state.family, draws, words)
    # The density on the few rows that a model of a source holds is none of the posterior.
    in_memory = state.streamed is None and draws * state.rows <= _MOST_READ
    known = in_memory and approx.source.has_density
    lp = log_densities(state, drawn["z"]) if known else np.full(draws, np.nan)
    return drawn | {"lp": lp}
