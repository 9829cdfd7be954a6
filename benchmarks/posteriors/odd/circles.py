"""Angles whose density lies across the cut of the circle, or all around it."""

import numpy as np
import pymc as pm
from pymc.distributions.transforms import circular
from scipy import stats
from scipy.special import i0e

from benchmarks.posteriors.odd.base import Odd
from benchmarks.posteriors.odd.grids import Angles, Answer, Grid, even

_FAINT = np.array([3.0, -2.2, 1.9])
_SEAM = np.array([2.9, -3.0, -2.6, 2.4, 3.1, -2.9, 2.7])
_SEEN, _KNOWN = np.array([2.8, -2.7, 3.0, -3.1, 2.2, -2.0]), 4.0


def _von_mises(angle: np.ndarray | float, mean: np.ndarray, kappa: np.ndarray) -> np.ndarray:
    return kappa * (np.cos(angle - mean) - 1.0) - np.log(2.0 * np.pi * i0e(kappa))


def faint() -> pm.Model:
    """Build a direction of which little is known: its density goes all around."""
    with pm.Model() as model:
        direction = pm.Uniform("direction", -np.pi, np.pi, default_transform=circular)
        pm.VonMises("y", direction, 0.3, observed=_FAINT)
    return model


def faint_answer(fineness: int) -> Answer:
    """Compute it around the circle."""

    def log_density(direction: np.ndarray) -> np.ndarray:
        return sum(_von_mises(y, direction, np.array(0.3)) for y in _FAINT)

    return Grid(log_density, {"direction": even(-np.pi, np.pi, 720 * fineness)})


def seam() -> pm.Model:
    """Build a direction on the seam, with unknown concentration."""
    with pm.Model() as model:
        direction = pm.Uniform("direction", -np.pi, np.pi, default_transform=circular)
        concentration = pm.Gamma("concentration", 2.0, 0.5)
        pm.VonMises("y", direction, concentration, observed=_SEAM)
    return model


def seam_answer(fineness: int) -> Answer:
    """Compute it around the circle."""

    def log_density(direction: np.ndarray, concentration: np.ndarray) -> np.ndarray:
        rows = sum(_von_mises(y, direction, concentration) for y in _SEAM)
        return stats.gamma.logpdf(concentration, 2.0, scale=2.0) + rows

    return Grid(log_density, {
        "direction": even(-np.pi, np.pi, 720 * fineness),
        "concentration": even(0.0, 45.0, 900 * fineness),
    })  # fmt: skip


def latent_angles() -> pm.Model:
    """Build six angles, measured once each, around an unknown direction on the seam."""
    with pm.Model() as model:
        direction = pm.Uniform("direction", -np.pi, np.pi, default_transform=circular)
        concentration = pm.Gamma("concentration", 2.0, 0.5)
        angle = pm.VonMises("angle", direction, concentration, shape=6)
        pm.VonMises("y", angle, _KNOWN, observed=_SEEN)
    return model


def latent_angles_answer(fineness: int) -> Answer:
    """Compute it with the angles integrated out: two pulls on each add up as vectors."""

    def log_density(direction: np.ndarray, concentration: np.ndarray) -> np.ndarray:
        pull = concentration * np.exp(1j * direction)
        rows = 0.0
        for y in _SEEN:
            length = np.abs(pull + _KNOWN * np.exp(1j * y))
            rows += np.log(i0e(length) / i0e(concentration)) + length - concentration
        return stats.gamma.logpdf(concentration, 2.0, scale=2.0) + rows

    grid = Grid(log_density, {
        "direction": even(-np.pi, np.pi, 120 * fineness),
        "concentration": even(0.0, 45.0, 400 * fineness),
    })  # fmt: skip
    return Angles(grid, "angle", _SEEN, _KNOWN)


ODD = (
    Odd("faint", "a direction hardly known", ("small", "circular"), faint, faint_answer,
        {"direction": "circle"}),
    Odd("seam", "a direction on the seam", ("small", "circular"), seam, seam_answer,
        {"direction": "diagonals"}),
    Odd("latent_angles", "six angles on the seam", ("small", "circular", "hierarchical"),
        latent_angles, latent_angles_answer, {"direction": "diagonals", "angle": "diagonals"}),
)  # fmt: skip
