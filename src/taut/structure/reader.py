"""Structure is read off a model's density, by numbers."""

from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from taut.structure.chain import find_chain
from taut.structure.field import find_field
from taut.structure.levels_seen import slopes_of
from taut.structure.plates import find_plates
from taut.structure.structure import Plates, Structure
from taut.target import Factors, Target

# Bytes of a number.
_DOUBLE = 8
# Unknowns that may be global, and those up to which all but the largest plate are.
MOST_GLOBALS, _ALL_GLOBALS = 60, 40
# Directions in which latents of one group, or of one step, may move, and elements of a corner.
_MOST_EACH, _MOST_CORNER = 6, 2000
# How far a sum of factors may be from the density, by its size.
_CLOSE = 1e-8
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
    everything = np.arange(target.dim)
    if np.dtype(target.dtype).itemsize < _DOUBLE:
        return Structure(everything, None, "structure is read in double precision alone")
    points = [start + _APART * random.normal(size=len(start)) for _ in range(2)]
    if factors is not None and _is_sum(target, factors, points, timing):
        found = _plates(target, factors, points, random, timing)
        if found is not None:
            return found
    return _chain(target, points, random, timing) or _field(target, points, random, timing)


def _is_sum(target: Target, factors: Factors, points: list[np.ndarray], timing: Any) -> bool:
    """Check that factors add up to the density."""
    found = target.programs(_both, target, factors, np.array(points), timing=timing)
    whole, total = (np.asarray(part) for part in found)
    return bool((np.abs(whole - total) <= _CLOSE * (1.0 + np.abs(whole))).all())


def _both(
    target: Target, factors: Factors, points: Float[Array, "points dim"]
) -> tuple[Float[Array, " points"], Float[Array, " points"]]:
    """Evaluate the density, and the sum of its factors; a program for `Programs`."""
    return jax.lax.map(lambda z: (target.log_density(z), factors(z).sum()), points)


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
    directions = [plate.places.shape[1] for plate in (main, *others)]
    corner = sum(plate.places.size for plate in others)
    if sum(directions) > _MOST_EACH or corner > _MOST_CORNER:
        return None
    rest = np.setdiff1d(np.arange(target.dim), latents.places)
    return Structure(rest, latents) if 0 < len(rest) <= MOST_GLOBALS else None


def _chain(target: Target, points: list[np.ndarray], random: Any, timing: Any) -> Structure | None:
    longest = max((slot.shape[0] for slot in target.space if slot.shape), default=0)
    slots = [slot for slot in target.space if slot.shape and slot.shape[0] == longest]
    latents = find_chain(target, points, slots, random, timing) if slots else None
    if latents is None or latents.steps.shape[1] > _MOST_EACH:
        return None
    rest = np.setdiff1d(np.arange(target.dim), latents.places)
    return Structure(rest, latents) if 0 < len(rest) <= MOST_GLOBALS else None


def _field(target: Target, points: list[np.ndarray], random: Any, timing: Any) -> Structure:
    """Take the large variables for latents, whatever touches what."""
    everything = np.arange(target.dim)
    largest = sorted(target.space, key=lambda slot: slot.size)
    before = np.cumsum([slot.size for slot in largest])
    slots = [
        slot for slot, size in zip(largest, before, strict=True)
        if slot.shape and size > _ALL_GLOBALS
    ]  # fmt: skip
    few = target.dim - sum(slot.size for slot in slots)
    if not 0 < few <= MOST_GLOBALS:
        return Structure(everything, None, f"{few} unknowns are global")
    latents = find_field(target, points, slots, random, timing) if slots else None
    if latents is None:
        return Structure(everything, None, "no groups, no chain and no field were found")
    return Structure(np.setdiff1d(everything, latents.places), latents)
