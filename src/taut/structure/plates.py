"""Plates: variables with elements for each of many groups."""

from collections.abc import Sequence

import numpy as np

from taut.structure.axis import Axis, axes_of
from taut.structure.levels_seen import NONE, SEVERAL, Slope, levels_seen
from taut.structure.structure import Numbers, Plate
from taut.target import Slot, Space

# Levels from which on an axis may be one of groups.
_GROUPS = 10


def find_plates(
    slope: Slope, points: Sequence[np.ndarray], space: Space, random: np.random.Generator
) -> list[Plate]:
    """Find the plates of a model, the largest first.

    Parameters
    ----------
    slope
        Differentiates the factors at a point along a direction.
    points
        Where; what is found at one has to hold at the others.
    space
        The variables.
    random
        Draws directions.
    """
    found: list[tuple[Axis, Numbers]] = []
    for slot in space:
        seen = _separate_axis(slope, points, slot, random)
        if seen is not None:
            found.append(seen)
    return sorted(_joined(found), key=lambda plate: -plate.places.size)


def _separate_axis(
    slope: Slope, points: Sequence[np.ndarray], slot: Slot, random: np.random.Generator
) -> tuple[Axis, Numbers] | None:
    """Find the longest axis of a variable of which no factor sees two levels."""
    for axis in axes_of(slot, _GROUPS):
        seen = levels_seen(slope, points[0], axis, random)
        for point in points[1:]:
            seen = _merged(seen, levels_seen(slope, point, axis, random))
        if not (seen == SEVERAL).any():
            return axis, seen
    return None


def _merged(one: Numbers, other: Numbers) -> Numbers:
    """Join what was seen at two points; a derivative may happen to be zero at one."""
    either = np.maximum(one, other)
    agree = (one == other) | ((np.minimum(one, other) == NONE) & (either != NONE))
    return np.where(agree & (np.minimum(one, other) != SEVERAL), either, SEVERAL)


def _joined(found: list[tuple[Axis, Numbers]]) -> list[Plate]:
    """Put variables of the same groups together."""
    plates: list[Plate] = []
    for axis, seen in found:
        own = Plate((axis.slot.name,), axis.places, seen)
        same = next((i for i, plate in enumerate(plates) if _is_same(plate, own)), None)
        if same is None:
            plates.append(own)
        else:
            plates[same] = _both(plates[same], own)
    return plates


def _is_same(one: Plate, other: Plate) -> bool:
    """Whether two variables have the same groups: what sees both sees one number of both."""
    both = (one.of_factor >= 0) & (other.of_factor >= 0)
    same = one.of_factor[both] == other.of_factor[both]
    return one.levels == other.levels and bool(both.any()) and bool(same.all())


def _both(one: Plate, other: Plate) -> Plate:
    return Plate(
        one.names + other.names,
        np.hstack([one.places, other.places]),
        np.maximum(one.of_factor, other.of_factor),
    )
