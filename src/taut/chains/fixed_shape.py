"""Coordinates of few structures and of fixed shapes, so that a program serves all of a repair."""

from dataclasses import replace

import numpy as np

from taut.chains.coordinates import Composed, Coordinates, Coupled, Linear
from taut.chains.heavy_tails import LINEAR, Tailed
from taut.chains.non_centering import Conditioned
from taut.gaussian import DenseNormal, Normal, ScaledLowRankNormal
from taut.target import Target

# Drivers, directions and elements with tails for which there is room at first; then four times as
# many, and so on.
_DRIVERS, _DIRECTIONS, _TAILS, _TIMES = 4, 8, 4, 4
# Dimensions up to which a full matrix takes no longer than some directions.
_SMALL = 64


def is_bent(coordinates: Coordinates) -> bool:
    """Whether they hold couplings or tails, for which the program is a larger one."""
    return any(isinstance(part, Coupled | Tailed) for part in _flat(coordinates))


def of_fixed_shape(coordinates: Coordinates, target: Target) -> Composed:
    """Return the same map, of linear parts alone or with room for couplings and for tails.

    Parameters
    ----------
    coordinates
        Those of chains.
    target
        What they are chains of. What is normal given others there is taken apart, if only by name.
    """
    parts, dim = _merged(_flat(coordinates), target.dim), target.dim
    if target.conditionals is not None and not isinstance(parts[0], Conditioned):
        parts = [Conditioned.nothing(target), *parts]
    coupled = next((part for part in parts if isinstance(part, Coupled)), None)
    tailed = next((part for part in parts if isinstance(part, Tailed)), None)
    if not is_bent(coordinates):
        return Composed((*parts[:-1], _directed(parts[-1])))
    before = [part for part in parts[:-1] if not isinstance(part, Coupled | Tailed)]
    between = _with_slots(tailed or _light(dim)), _with_room(coupled or _uncoupled(dim))
    return Composed((*before, *between, _directed(parts[-1])))


def _flat(coordinates: Coordinates) -> list[Coordinates]:
    if not isinstance(coordinates, Composed):
        return [coordinates]
    return [part for each in coordinates.parts for part in _flat(each)]


def _merged(parts: list[Coordinates], dim: int) -> list[Coordinates]:
    """Multiply linear maps that follow one another, where the product is of their kinds."""
    merged: list[Coordinates] = []
    for part in parts:
        before = merged[-1] if merged else None
        product = None
        if isinstance(before, Linear) and isinstance(part, Linear):
            product = _product(before.normal, part.normal, dim)
        merged = [*merged, part] if product is None else [*merged[:-1], product]
    return merged


def _product(first: Normal, second: Normal, dim: int) -> Linear | None:
    r"""Return :math:`\mu_1 + R_1 (\mu_2 + R_2 x)`, or `None` where no matrix is to be written."""
    mean = first.mean + first.color(second.mean[None])[0]
    log_det = first.log_det + second.log_det
    if (
        isinstance(first, ScaledLowRankNormal)
        and isinstance(second, ScaledLowRankNormal)
        and dim > _SMALL
    ):
        if first.directions.shape[1]:
            return None
        scaled = replace(second, mean=mean, scale=first.scale * second.scale)
        return Linear(scaled, log_det)
    return Linear(DenseNormal(mean, first.color(second.color(np.eye(dim))).T), log_det)


def _directed(linear: Coordinates) -> Linear:
    """Add directions that are stretched by nothing; write a matrix where it is small."""
    assert isinstance(linear, Linear)
    normal = linear.normal
    if isinstance(normal, DenseNormal):
        # Whether its determinant was known before makes no other program.
        return Linear(DenseNormal(normal.mean, normal.root), normal.log_det)
    assert isinstance(normal, ScaledLowRankNormal)
    dim, rank = normal.directions.shape
    room = _room(rank, _DIRECTIONS)
    if dim <= _SMALL or 2 * room >= dim:
        return Linear(DenseNormal(normal.mean, normal.color(np.eye(dim)).T), normal.log_det)
    directions = np.pad(normal.directions, ((0, 0), (0, room - rank)))
    stretch = np.pad(normal.stretch, (0, room - rank), constant_values=1.0)
    return Linear(replace(normal, directions=directions, stretch=stretch))


def _uncoupled(dim: int) -> Coupled:
    return Coupled(np.empty(0, int), np.zeros(dim), np.empty((0, dim)), np.empty((0, dim)))


def _light(dim: int) -> Tailed:
    return Tailed.of(dim, np.empty(0, int), np.empty(0), np.empty(0), np.empty((3, 0)))


def _with_room(coupled: Coupled) -> Coupled:
    """Add drivers that drive nothing."""
    more = _room(len(coupled.drivers), _DRIVERS) - len(coupled.drivers)
    return replace(
        coupled,
        drivers=np.pad(coupled.drivers, (0, more)),
        slope=np.pad(coupled.slope, ((0, more), (0, 0))),
        curve=np.pad(coupled.curve, ((0, more), (0, 0))),
    )


def _with_slots(tailed: Tailed) -> Tailed:
    """Add slots that no element has, for maps that are linear."""
    room = min(_room(len(tailed.which), _TAILS), max(len(tailed.slot), 1))
    more = 0, room - len(tailed.which)
    return Tailed(
        np.pad(tailed.which, more),
        tailed.slot,
        np.pad(tailed.centre, more),
        np.pad(tailed.scale, more, constant_values=1.0),
        np.pad(tailed.weight, ((0, 0), more), constant_values=LINEAR),
    )


def _room(count: int, first: int) -> int:
    room = first
    while room < count:
        room *= _TIMES
    return room
