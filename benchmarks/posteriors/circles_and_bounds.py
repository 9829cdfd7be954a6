"""Variables on a circle and between bounds, with conjugate answers."""

import numpy as np
import pymc as pm

from benchmarks.posteriors.base import Draws, Posterior

_TRIALS = 40
_SUCCESSES = np.array([0, 2, 25, 40])
_PRIOR_KAPPA, _KAPPA = 0.5, 2.0
_ANGLES = np.random.default_rng(6).vonmises(3.0, _KAPPA, size=12)


def bounded() -> pm.Model:
    """Shares under a uniform prior, two of which pile up at a bound."""
    with pm.Model() as model:
        share = pm.Uniform("share", 0.0, 1.0, shape=4)
        pm.Binomial("y", _TRIALS, share, observed=_SUCCESSES)
    return model


def bounded_draws(rng: np.random.Generator, draws: int) -> Draws:
    """Draw from the conjugate beta distributions."""
    return {"share": rng.beta(1 + _SUCCESSES, 1 + _TRIALS - _SUCCESSES, size=(draws, 4))}


def circular() -> pm.Model:
    """A direction that lies across the cut of the circle at π."""
    with pm.Model() as model:
        direction = pm.VonMises("direction", 0.0, _PRIOR_KAPPA)
        pm.VonMises("y", direction, _KAPPA, observed=_ANGLES)
    return model


def circular_draws(rng: np.random.Generator, draws: int) -> Draws:
    """Draw from the conjugate von Mises distribution: the resultant of prior and data."""
    east = _PRIOR_KAPPA + _KAPPA * np.cos(_ANGLES).sum()
    north = _KAPPA * np.sin(_ANGLES).sum()
    return {"direction": rng.vonmises(np.arctan2(north, east), np.hypot(north, east), size=draws)}


POSTERIORS = (
    Posterior("bounded", "four shares", ("small", "bounded"), bounded, bounded_draws),
    Posterior(
        "circular", "a direction near π", ("small", "circular"), circular, circular_draws,
        scales={"direction": "circle"},
    ),
)  # fmt: skip
