"""What the proving ground asks of a method."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pymc as pm

from benchmarks.posteriors.base import Draws

# Enough that the noise of the draws is 0.016 sd in a mean.
DRAWS = 4000


@dataclass(frozen=True)
class Fitted:
    """What a fit leaves.

    Parameters
    ----------
    draws
        ``(draws, *shape)`` for each free variable, in their constrained space.
    gradients
        Evaluations of the log density's gradient; `None` where the library does not tell.
    log_weights
        Called after the clock has stopped: ``log p(y, z) - log q(z)`` at draws from `q`; `None`
        where `q` has no density.
    trusted
        Whether the library says that the fit can be trusted; `None` where it says nothing.
    verdict
        Why, in its words.
    effective
        Called after the clock has stopped: independent draws that would tell the worst mean as
        well; `None` where `draws` are independent.
    """

    draws: Draws
    gradients: int | None = None
    log_weights: Callable[[], np.ndarray] | None = None
    trusted: bool | None = None
    verdict: str = ""
    effective: Callable[[], float] | None = None


@dataclass(frozen=True)
class Method:
    """A way from a model to draws.

    Parameters
    ----------
    name
        What it is called on the command line: library and method.
    about
        Its settings, for readers.
    load
        Imports what it needs, before the clock starts.
    fit
        ``fit(model, seed)``, from model to draws.
    """

    name: str
    about: str
    load: Callable[[], object]
    fit: Callable[[pm.Model, int], Fitted]

    @property
    def library(self) -> str:
        """The library whose method it is."""
        return self.name.partition("-")[0]


def named(model: pm.Model, drawn: Draws) -> Draws:
    """Keep the free variables of the model."""
    return {rv.name: np.asarray(drawn[rv.name]) for rv in model.free_RVs}


def merged(model: pm.Model, posterior: Draws) -> Draws:
    """Put the chains of an ArviZ group ``posterior`` one after the other."""
    found = {rv.name: np.asarray(posterior[rv.name]) for rv in model.free_RVs}
    return {name: values.reshape(-1, *values.shape[2:]) for name, values in found.items()}
