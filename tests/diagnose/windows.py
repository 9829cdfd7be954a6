"""Windows of chains that never ran, with any figure that a criterion looks at."""

import numpy as np

from taut.chains import Linear, Window
from taut.chains.control_variates import Correction, Said
from taut.gaussian import ScaledLowRankNormal
from taut.target import Space

ONE = Space.of({"x": ()})
CHAINS, TRANSITIONS = 64, 60


def drawn(seed: int = 0) -> np.ndarray:
    """Independent standard normal draws of one element."""
    return np.random.default_rng(seed).normal(size=(TRANSITIONS, CHAINS, 1))


def window(
    draws: np.ndarray | None = None,
    *,
    draws_each: float | None = None,
    effective: float | None = None,
    effective_spread: float | None = None,
    divergent: float = 0.0,
    left: float = 0.0,
    stuck: float = 0.0,
    acceptance: float = 0.8,
    moves: float | None = None,
) -> Window:
    """Make a window.

    Parameters
    ----------
    draws
        What chains visited; by default independent standard normal draws.
    draws_each, effective, effective_spread
        What it says of these.
    divergent, left, stuck
        Share of transitions that diverged, and that left the support, and of chains whose
        acceptance is `acceptance`.
    moves
        How far gradients that do not fit would move the mean, in standard deviations.
    """
    draws = drawn() if draws is None else draws
    transitions, chains, dim = draws.shape
    mean, nothing = draws.mean(axis=(0, 1)), np.ones(dim)
    standard = Linear(ScaledLowRankNormal.diagonal(np.zeros(dim), np.ones(dim)))
    correction = Correction(standard, mean, mean, nothing, draws.mean(axis=0))
    accepted = np.full(chains, 0.8)
    accepted[: round(stuck * chains)] = acceptance
    diverged = np.full((round(divergent * transitions * chains), dim), -3.0)
    said = Said(correction, moves is None, np.full(dim, moves or 0.0))
    made = Window(
        draws, accepted, said, diverged, np.full((round(left * transitions * chains), dim), 4.0)
    )
    said_of = {
        "draws_each": draws_each,
        "effective": effective,
        "effective_spread": effective_spread,
    }
    for name, value in said_of.items():
        if value is not None:
            made.__dict__[name] = np.full(dim, value)
    return made
