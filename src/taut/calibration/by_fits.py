"""Calibration of a method, by its fits to data sets one after another."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from taut import seed
from taut.approximation import unconstrained_draws
from taut.calibration.probabilities import Calibration
from taut.errors import silent
from taut.fit import fit
from taut.frontend import AbstractSource

# Draws of each fit, of which those below the truth are counted.
_DRAWS = 1000


def by_fits(
    source: AbstractSource, datasets: int, number: int, how: Mapping[str, Any]
) -> Calibration:
    """Fit each data set on its own, and count the draws below the parameters it came from.

    Parameters
    ----------
    source
        The model.
    datasets
        How many.
    number
        Decides data sets and fits.
    how
        Arguments of `taut.fit`.
    """
    truths, models = source.simulated(datasets, int(seed.key_words(number, seed.DATASETS)[0]))
    values = np.empty(truths.shape)
    trusted = np.empty(datasets, bool)
    for i, (truth, model) in enumerate(zip(truths, models, strict=True)):
        own = seed.key_words(number, seed.STEPS, i).tolist()
        with silent():
            approx = fit(model=model, progressbar=False, random_seed=own, **how)
            values[i] = _below(unconstrained_draws(approx, _DRAWS, own), truth)
        trusted[i] = approx.trusted
    target = source.target()
    return Calibration(values, target.space, target.labels, trusted)


def _below(
    draws: Float[np.ndarray, "draws dim"], truth: Float[np.ndarray, " dim"]
) -> Float[np.ndarray, " dim"]:
    """Return the share of draws below the truth, less than 1 and more than 0."""
    return ((draws < truth).sum(axis=0) + 0.5) / (len(draws) + 1)
