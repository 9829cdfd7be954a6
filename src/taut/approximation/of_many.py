"""Draws of many approximations that have the same variables."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from taut.approximation.approximation import Approximation
from taut.approximation.datatree import label_draws
from taut.approximation.drawing import all_of
from taut.engine import single_threaded


def stacked_draws(
    fits: Sequence[Approximation], draws: int, random_seed: Any = None
) -> dict[str, xr.DataArray]:
    """Draw the constrained variables of each, labelled, fits along the first axis.

    Parameters
    ----------
    fits
        Of targets with the same variables, one at least.
    draws
        How many of each.
    random_seed
        Seed of the draws; without it each approximation gives fresh ones.
    """
    stacked: dict[str, list[np.ndarray]] = {}
    # Entered once for all: it looks through the libraries of the process.
    with single_threaded(max(fit.target.largest_matrix for fit in fits)):
        for fit in fits:
            words = fit.words(random_seed)
            drawn = all_of(fit.target, fit.family, draws, words)["constrained"]
            for name, values in drawn.items():
                stacked.setdefault(name, []).append(values)
    labels = fits[0].target.labels
    found = {}
    for name, values in stacked.items():
        one = label_draws(values[0], name, labels)
        coords = {dim: one.coords[dim] for dim in one.dims if dim in one.coords}
        dims = ("fit", *one.dims)
        found[name] = xr.DataArray(np.stack(values)[:, None], dims=dims, coords=coords, name=name)
    return found
