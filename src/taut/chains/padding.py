"""Coordinates of one structure and of fixed shapes, so that one program serves all there are."""

from dataclasses import replace

import numpy as np

from taut.chains.coordinates import Composed, Coordinates, Coupled, Linear
from taut.chains.heavy_tails import LINEAR, Tailed
from taut.gaussian import Dense, Structured

# Drivers, and directions, for which there is room at first; then four times as many, and so on.
_DRIVERS, _DIRECTIONS, _TIMES = 4, 8, 4


def padded(coordinates: Coordinates, dim: int) -> Composed:
    """Return the same map, with room for a coupling, for tails and for more directions.

    Parameters
    ----------
    coordinates
        From `taut.chains.adapted`.
    dim
        Number of elements.
    """
    *before, last = _flat(coordinates)
    assert isinstance(last, Linear)
    linear = [part for part in before if not isinstance(part, Coupled | Tailed)]
    coupled = next((part for part in before if isinstance(part, Coupled)), _uncoupled(dim))
    tailed = next((part for part in before if isinstance(part, Tailed)), _light(dim))
    return Composed((*linear, _roomy(coupled), tailed, _directed(last)))


def _flat(coordinates: Coordinates) -> list[Coordinates]:
    if not isinstance(coordinates, Composed):
        return [coordinates]
    return [part for each in coordinates.parts for part in _flat(each)]


def _uncoupled(dim: int) -> Coupled:
    return Coupled(np.empty(0, int), np.zeros(dim), np.empty((0, dim)), np.empty((0, dim)))


def _light(dim: int) -> Tailed:
    return Tailed(np.zeros(dim), np.ones(dim), np.full(dim, LINEAR))


def _roomy(coupled: Coupled) -> Coupled:
    """Add drivers that drive nothing."""
    more = _room(len(coupled.drivers), _DRIVERS) - len(coupled.drivers)
    pad = ((0, more), (0, 0))
    return replace(
        coupled,
        drivers=np.pad(coupled.drivers, (0, more)),
        slope=np.pad(coupled.slope, pad),
        curve=np.pad(coupled.curve, pad),
    )


def _directed(linear: Linear) -> Linear:
    """Add directions that are stretched by nothing; a full matrix where these would be many."""
    normal = linear.normal
    if isinstance(normal, Dense):
        return linear
    assert isinstance(normal, Structured)
    dim, rank = normal.directions.shape
    room = _room(rank, _DIRECTIONS)
    if 2 * room >= dim:
        return Linear(Dense(normal.mean, normal.colour(np.eye(dim)).T), normal.log_det)
    directions = np.pad(normal.directions, ((0, 0), (0, room - rank)))
    stretch = np.pad(normal.stretch, (0, room - rank), constant_values=1.0)
    return Linear(replace(normal, directions=directions, stretch=stretch))


def _room(count: int, first: int) -> int:
    room = first
    while room < count:
        room *= _TIMES
    return room
