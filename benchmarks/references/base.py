"""What is kept of a posterior's answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

# The middles of a hundred parts of the probability.
LEVELS = (np.arange(100) + 0.5) / 100


@dataclass(frozen=True)
class Limits:
    """What a run of NUTS has to reach to be a reference."""

    rhat: float = 1.01
    ess: float = 2000.0


LIMITS = Limits()


@dataclass(frozen=True)
class Reference:
    """The answer of one posterior, by quantity.

    Parameters
    ----------
    labels
        Of the quantities.
    mean, sd
        Their moments.
    quantiles
        ``(100, quantities)``, at `LEVELS`.
    draws
        ``(2000, quantities)``, joint.
    rhat
        Rank-normalised split R-hat, of each quantity; 1 where draws are independent.
    ess
        The smaller of bulk and tail ESS, of each quantity.
    fingerprint
        The model's log density at the points of `benchmarks.references.fingerprint`.
    about
        How it was made: ``source`` (``"exact"`` or ``"nuts"``), settings, versions, seconds.
    """

    labels: tuple[str, ...]
    mean: np.ndarray
    sd: np.ndarray
    quantiles: np.ndarray
    draws: np.ndarray
    rhat: np.ndarray
    ess: np.ndarray
    fingerprint: np.ndarray
    about: Mapping[str, Any]

    @property
    def is_good(self) -> bool:
        """Whether every quantity is within the limits."""
        return bool(self.rhat.max() < LIMITS.rhat and self.ess.min() > LIMITS.ess)
