"""taut and PyMC behind one set of calls, which they share by name."""

from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.models import LEARNING_RATE, SEED, WINDOW

PEERS = ("taut", "pymc")
# Losses that are averaged to tell whether both solve the same problem.
_LAST = 1000


def load(peer: str) -> Any:
    """Import one of the libraries, and nothing of the other."""
    return import_module(peer)


def optimizer(peer: str) -> Any:
    """Make the optimizer that both are given."""
    return load(peer).adagrad_window(learning_rate=LEARNING_RATE, n_win=WINDOW)


def fit(peer: str, model: Any, steps: int) -> Any:
    """Call the library's `fit`: from model to approximation."""
    return load(peer).fit(
        steps,
        method="advi",
        model=model,
        random_seed=SEED,
        progressbar=False,
        obj_optimizer=optimizer(peer),
    )


def warm_advi(peer: str, model: Any, steps: int) -> Any:
    """Make an ADVI object that has compiled its step and taken so many of them."""
    with model:
        advi = load(peer).ADVI(random_seed=SEED)
    advi.fit(steps, progressbar=False, obj_optimizer=optimizer(peer))
    return advi


def last_loss(peer: str, approx: Any) -> float:
    """Average the last losses, at the scale of all rows.

    PyMC divides the loss of a model with `pymc.Minibatch` by rows/batch; taut does not.
    """
    loss = float(np.mean(approx.hist[-_LAST:]))
    return loss * float(approx.symbolic_normalizing_constant.eval()) if peer == "pymc" else loss
