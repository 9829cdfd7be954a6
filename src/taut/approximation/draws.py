"""Draws, as a user asks for them."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax
import numpy as np
from jaxtyping import Float

from taut.approximation.drawing import all_of, constrain_block
from taut.approximation.evaluation import log_densities
from taut.approximation.fitted import Fitted
from taut.arguments import as_flag, as_positive
from taut.errors import ArgumentError
from taut.frontend import nearest

# Draws that are made together where few variables are kept.
_TOGETHER = 250
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
    var_names: Sequence[str] | None = None,
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
    var_names
        Variables that are kept, deterministic ones too; by default all. Draws are then made some
        at a time, so that they take the memory of these variables alone. The values are those of
        a call without.

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
        `draws` is not a positive integer, there is no variable of a name, or weights are asked
        for of particles, which have no density.
    NotFiniteError
        The log density at some draw is no weight.
    TooLargeError
        So many draws take more memory than is left; the message says how many would fit.

    Warns
    -----
    UserWarning
        k-hat is above 0.7, and weights do not make up for the distance to the posterior.
    """
    draws = as_positive("draws", draws)
    if importance not in (None, "psis"):
        raise ArgumentError(f'importance must be None or "psis", got {importance!r}.')
    names, weights = _checked(approx, var_names, return_inferencedata), None
    if importance is None:
        drawn = _drawn(approx, draws, random_seed, names)
    else:
        from taut.approximation.importance import importance_draws

        drawn, weights = importance_draws(approx.state, draws, approx.words(random_seed))
        drawn = drawn if names is None else _only(drawn, names)
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


def _drawn(
    approx: Fitted, draws: int, random_seed: Any, names: tuple[str, ...] | None = None
) -> dict[str, Any]:
    words = approx.words(random_seed)
    if names is None:
        return _numbered(approx, draws, draws, words, None)
    parts = []
    for first in range(0, draws, _TOGETHER):
        numbers = np.arange(first, min(first + _TOGETHER, draws))
        parts.append(_only(_numbered(approx, draws, numbers, words, names), names))
    return jax.tree.map(lambda *each: np.concatenate(each), *parts)


def _numbered(
    approx: Fitted, draws: int, numbers: int | np.ndarray, words: np.ndarray,
    names: tuple[str, ...] | None,
) -> dict[str, Any]:  # fmt: skip
    """Make some of so many draws, by their numbers."""
    state = approx.state
    drawn = all_of(state.target, state.family, numbers, words, names)
    # The density on the few rows that a model of a source holds is none of the posterior.
    in_memory = state.streamed is None and draws * state.rows <= _MOST_READ
    known = in_memory and approx.source.has_density
    z = drawn["z"]
    return drawn | {"lp": log_densities(state, z) if known else np.full(len(z), np.nan)}


def _only(drawn: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Leave out what is not asked for."""
    kept = {name: value for name, value in drawn.items() if name != "z"}
    for space in ("constrained", "unconstrained"):
        # Copied, because a part of an array keeps all of it.
        kept[space] = {k: np.array(v) for k, v in drawn[space].items() if k in names}
    return kept


def _checked(approx: Fitted, var_names: Any, labelled: Any) -> tuple[str, ...] | None:
    if var_names is None:
        return None
    if not as_flag("return_inferencedata", labelled):
        raise ArgumentError("var_names goes with draws that are labelled: leave it out, or this.")
    names = (var_names,) if isinstance(var_names, str) else tuple(var_names)
    target = approx.target
    z = np.zeros((1, target.dim), target.dtype)
    known = {*target.programs.shapes(constrain_block, target, z), *target.space.names}
    for name in names:
        if name not in known:
            raise ArgumentError(
                f"var_names has {name!r}, which is no variable of the model"
                f"{nearest(str(name), known)}. There are: {', '.join(sorted(known))}."
            )
    return names
