"""Draws of the posterior, as far as weights make them of draws from q."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from taut import seed
from taut.approximation.drawing import all_of, sampled
from taut.approximation.evaluation import log_densities
from taut.approximation.state import State
from taut.diagnose import ImportanceWeights, khat_by_variable
from taut.diagnose.psis import psis
from taut.errors import ArgumentError, warn

# Draws from q for each that is asked for, and at least.
_TIMES, _LEAST = 4, 4000
# Draws that are held at a time.
_TOGETHER = 1000
# Up to so many elements a warning says which are the worst.
_NAMED = 200


def importance_draws(
    state: State,
    draws: int,
    key_words: np.ndarray,
) -> tuple[Mapping[str, Any], ImportanceWeights]:
    """Draw many times from q, weight by Pareto smoothed importance sampling, and choose.

    Parameters
    ----------
    state
        The approximation, and what it approximates.
    draws
        How many are chosen.
    key_words
        Of the stream the draws come from.

    Returns
    -------
    tuple
        The draws, as `taut.approximation.drawing.all_of` gives them, with their ``log_weight``; and
        the weights of all that were made.

    Raises
    ------
    ArgumentError
        The approximation has no density.
    NotFiniteError
        The log density of some draw is no weight.
    """
    pool = max(_TIMES * draws, _LEAST)
    log_p, log_q = _log_densities(state, pool, key_words)
    weights = psis(log_p - log_q)
    random = np.random.default_rng([*key_words.tolist(), seed.RESAMPLES])
    chosen = weights.resample(draws, random)
    # A draw depends on its number alone, so those chosen are made again, and no others kept.
    drawn = all_of(state.target, state.family, chosen, key_words)
    drawn |= {"lp": log_p[chosen], "log_weight": weights.log_weights[chosen]}
    if not weights.reliable:
        _warn(weights, _worst(state, log_p - log_q, key_words))
    return drawn, weights


def _log_densities(
    state: State, draws: int, key_words: np.ndarray
) -> tuple[Float[np.ndarray, " draws"], Float[np.ndarray, " draws"]]:
    log_p, log_q = np.empty(draws), np.empty(draws)
    for first in range(0, draws, _TOGETHER):
        numbers = np.arange(first, min(first + _TOGETHER, draws))
        z, log_q[numbers] = sampled(state.target, state.family, numbers, key_words)
        log_p[numbers] = log_densities(state, z)
    if np.isnan(log_q).all():
        raise ArgumentError(
            "Particles have no density, and so no importance weights. Sample without "
            'importance="psis", or fit an approximation that has one, such as '
            'taut.fit(method="advi").'
        )
    return log_p, log_q


def _worst(state: State, log_ratios: np.ndarray, key_words: np.ndarray) -> str:
    """Say for which elements the weights are worst."""
    target = state.target
    if target.dim > _NAMED:
        return ""
    z, _ = sampled(target, state.family, len(log_ratios), key_words)
    khat = khat_by_variable(log_ratios, z, target.space)
    worst = sorted(khat, key=khat.__getitem__, reverse=True)[:3]
    return ", most of all for " + ", ".join(f"{name} ({khat[name]})" for name in worst)


def _warn(weights: ImportanceWeights, worst: str) -> None:
    warn(
        f"k-hat is {weights.khat:.2f} ± {weights.khat_se:.2f}, above 0.7: the approximation is too "
        f"far from the posterior for weights to make up for it{worst}. Means of these draws are "
        f"not reliable; they are worth about {weights.ess:.0f} independent ones. Fit longer or a "
        'richer approximation (method="fullrank_advi"), write the model with other parameters '
        "(non-centred), or check against pymc.sample."
    )
