"""Calibration of a method, by its fits to data sets one after another."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from taut import seed
from taut.approximation import Approximation
from taut.calibration.probabilities import Calibration
from taut.errors import silent
from taut.fit import fit
from taut.frontend import AbstractSource
from taut.progress import INTERRUPTED
from taut.target import Space

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
    values, trusted, target = np.empty(truths.shape), np.empty(datasets, bool), source.target()
    for i, (truth, model) in enumerate(zip(truths, models, strict=True)):
        own = seed.key_words(number, seed.STEPS, i).tolist()
        with silent():
            approx = fit(model=model, progressbar=False, random_seed=own, **how)
            if str(approx.stopped).startswith(INTERRUPTED):
                # A fit returns what it has; these are of no use without the others.
                raise KeyboardInterrupt
            values[i] = _below(_draws_of(approx, own, target.space), truth)
        trusted[i] = approx.trusted
    return Calibration(values, target.space, target.labels, trusted)


def _draws_of(
    approx: Approximation, random_seed: Any, space: Space
) -> Float[np.ndarray, "draws dim"]:
    """Draw flat vectors as the model lays them out: one that was cloned has another order."""
    drawn = approx.sample_dict_fn(_DRAWS, random_seed=random_seed)
    return np.concatenate([drawn[name].reshape(_DRAWS, -1) for name in space.names], axis=1)


def _below(
    draws: Float[np.ndarray, "draws dim"], truth: Float[np.ndarray, " dim"]
) -> Float[np.ndarray, " dim"]:
    """Return the share of draws below the truth, less than 1 and more than 0."""
    return ((draws < truth).sum(axis=0) + 0.5) / (len(draws) + 1)
