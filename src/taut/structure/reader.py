"""Structure is read off a model's density, by numbers."""

from typing import Any

import numpy as np

from taut.structure.chain import find_chain
from taut.structure.levels_seen import slopes_of
from taut.structure.plates import find_plates
from taut.structure.structure import Plates, Structure
from taut.target import Factors, Target

# Unknowns that may be global, and those up to which all but the largest plate are.
MOST_GLOBALS, _ALL_GLOBALS = 60, 40
# How far from the start the density is looked at, in the unconstrained space.
_APART = 0.3


def read_structure(
    target: Target,
    factors: Factors | None,
    start: np.ndarray,
    random: np.random.Generator,
    timing: Any = None,
) -> Structure:
    """Find which unknowns are global, and how the others touch each other.

    Parameters
    ----------
    target
        The density.
    factors
        The terms it sums, if they are known.
    start
        A point where it is finite.
    random
        Draws points near by, and directions.
    timing
        Is charged with the seconds.
    """
    points = [start + _APART * random.normal(size=len(start)) for _ in range(2)]
    if factors is not None:
        found = _plates(target, factors, points, random, timing)
        if found is not None:
            return found
    return _chain(target, points, random, timing)


def _plates(
    target: Target, factors: Factors, points: list[np.ndarray], random: Any, timing: Any
) -> Structure | None:
    slope = slopes_of(target, factors, timing)
    plates = find_plates(slope, points, target.space, random)
    if not plates:
        return None
    main, *others = plates
    if target.dim - main.places.size <= _ALL_GLOBALS:
        others = []
    latents = Plates(main, tuple(others))
    rest = np.setdiff1d(np.arange(target.dim), latents.places)
    return Structure(rest, latents) if 0 < len(rest) <= MOST_GLOBALS else None


def _chain(target: Target, points: list[np.ndarray], random: Any, timing: Any) -> Structure:
    everything = np.arange(target.dim)
    longest = max((slot.shape[0] for slot in target.space if slot.shape), default=0)
    slots = [slot for slot in target.space if slot.shape and slot.shape[0] == longest]
    latents = find_chain(target, points, slots, random, timing) if slots else None
    if latents is None:
        return Structure(everything, None, "no groups and no chain were found")
    rest = np.setdiff1d(everything, latents.places)
    if not 0 < len(rest) <= MOST_GLOBALS:
        return Structure(everything, None, f"{len(rest)} unknowns are global")
    return Structure(rest, latents)
