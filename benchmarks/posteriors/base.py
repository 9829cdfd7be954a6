"""What a posterior of the proving ground is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pymc as pm

Draws = Mapping[str, np.ndarray]
ExactDraws = Callable[[np.random.Generator, int], Draws]
# Mean and standard deviation, by variable.
Moments = Mapping[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Sampling:
    """How NUTS makes the reference.

    Parameters
    ----------
    draws, tune, chains
        Of each chain, its adaptation, and their number.
    target_accept
        Nearer to 1 for smaller steps.
    """

    draws: int = 2500
    tune: int = 1500
    chains: int = 4
    target_accept: float = 0.9


@dataclass(frozen=True)
class Posterior:
    """A model with its data, and the way to its answer.

    Parameters
    ----------
    name
        What it is called on the command line and in reports.
    about
        One line for readers.
    kinds
        Tags to choose by.
    build
        Makes the model anew, data included.
    exact
        ``exact(rng, draws)`` draws independently from the posterior, where that can be done; the
        result has an array ``(draws, *shape)`` for each free variable.
    moments
        The moments in closed form, where draws would give them too roughly.
    twin
        Makes a model with the same posterior on variables of the same names, which NUTS samples
        better: the other parametrisation, for a centred hierarchy.
    scales
        On which scale a variable is judged, by name; see `benchmarks.posteriors.scales.SCALES`.
        Means and standard deviations say little of a variable with heavy tails, or of an angle.
    sampling
        How NUTS makes the reference, without an `exact`.
    """

    name: str
    about: str
    kinds: tuple[str, ...]
    build: Callable[[], pm.Model]
    exact: ExactDraws | None = None
    moments: Callable[[], Moments] | None = None
    twin: Callable[[], pm.Model] | None = None
    scales: Mapping[str, str] = field(default_factory=dict)
    sampling: Sampling = Sampling()

    @property
    def sampled(self) -> Callable[[], pm.Model]:
        """The model that NUTS gets for the reference."""
        return self.twin or self.build
