"""Find, in draws, which elements drive the scale and the place of others."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float

from taut.chains.coordinates import Coupled

Draws = Float[np.ndarray, "draws dim"]
Pairs = Float[np.ndarray, "driven driver"]
Mask = Bool[np.ndarray, "driven driver"]

# What a driver has to explain, in nats a draw, and one pair of it.
_DRIVER, _PAIR = 0.05, 0.01
# A pair has to stand out of the noise by so many variances: chance alone gives one pair in 400.
_CLEAR = 9.0
# Variance of the logarithm of a standard normal's size.
_LOG_VARIANCE = np.pi**2 / 8
# Times that drivers are sought, those of one time as strong as this part of the strongest, and
# draws that there have to be for each of them.
_ROUNDS, _AS_STRONG, _DRAWS_EACH = 4, 0.3, 40
# Scoring steps of one fit, how far they go, and what keeps slopes from running away.
_SWEEPS, _STEPS, _PART, _RIDGE = 3, 6, 0.7, 1e-3
# Squares of standard deviations, and their logarithms, beyond which a draw counts as at these.
_FAR, _SMALL = 50.0, -4.0


@dataclass
class _Found:
    """Drivers so far, and which pairs of elements they are coupled in by scale and by place."""

    scale: Mask
    place: Mask
    drivers: list[int] = field(default_factory=list)

    @property
    def driven(self) -> Bool[np.ndarray, " dim"]:
        return (self.scale | self.place).any(axis=1)

    def add(self, drivers: list[int], scale: Pairs, place: Pairs) -> None:
        self.drivers += drivers
        self.scale[:, drivers] |= scale[:, drivers] > 0
        self.place[:, drivers] |= place[:, drivers] > 0
        self.scale[self.drivers] = self.place[self.drivers] = False


def couple(x: Draws, effective: Float[np.ndarray, " dim"]) -> Coupled | None:
    r"""Fit a coupling to draws with means of about 0 and variances of about 1.

    The element j is a driver of those after it whose log size it predicts, or whose place its
    square does. Elements before it are not looked at: a model's variables are made before those
    that depend on them. Log scales are those of a gamma regression of the squares, places of a
    weighted linear one.

    Parameters
    ----------
    x
        The draws.
    effective
        How many independent ones they are worth, for each element.

    Returns
    -------
    Coupled or None
        `None` where nothing drives.
    """
    dim, most = x.shape[1], len(x) // _DRAWS_EACH
    found = _Found(np.zeros((dim, dim), bool), np.zeros((dim, dim), bool))
    coupled, left = None, x
    for _ in range(_ROUNDS):
        scale, place = _scores(left, effective)
        new = _strongest(scale + place, found, most - len(found.drivers))
        if not new:
            break
        found.add(new, scale, place)
        coupled = _fit(x, found)
        left = coupled.whiten(x)
    return coupled


def _scores(x: Draws, effective: Float[np.ndarray, " dim"]) -> tuple[Pairs, Pairs]:
    """Nats that each element explains of those after it, by scale and by place."""
    # One that is drawn anew each time tells of one that hardly moves.
    chance = _CLEAR / np.maximum(effective, effective[:, None])
    log_size = np.maximum(np.log(np.abs(x) + 1e-300), _SMALL)
    square = np.minimum(x**2, 9.0)
    scale = _covariance(log_size, x) ** 2
    place = _covariance(np.clip(x, -4.0, 4.0), square / square.std(axis=0)) ** 2 / 2.0
    scale = np.where(scale > np.maximum(_LOG_VARIANCE * chance, _PAIR), scale, 0.0)
    place = np.where(place > np.maximum(0.5 * chance, _PAIR), place, 0.0)
    return np.tril(scale, -1), np.tril(place, -1)


def _covariance(of: Draws, with_: Draws) -> Pairs:
    return (of - of.mean(axis=0)).T @ (with_ - with_.mean(axis=0)) / len(of)


def _strongest(gains: Pairs, found: _Found, most: int) -> list[int]:
    """Choose drivers that neither drive each other nor are driven by those before."""
    gains = gains.copy()
    gains[:, found.driven] = 0.0
    gains[:, found.drivers] = gains[found.drivers] = 0.0
    total, chosen = gains.sum(axis=0), list[int]()
    enough = max(_DRIVER, _AS_STRONG * total.max(initial=0.0))
    for j in np.argsort(-total):
        if total[j] < enough or len(chosen) >= most:
            break
        if not any(gains[j, k] > 0 or gains[k, j] > 0 for k in chosen):
            chosen.append(int(j))
    return chosen


def _fit(x: Draws, found: _Found) -> Coupled:
    """Fit log scales and places in turn."""
    drivers, dim = np.array(found.drivers), x.shape[1]
    u, scale, place = x[:, drivers], found.scale[:, drivers].T, found.place[:, drivers].T
    features = np.column_stack([np.ones(len(x)), u])
    ridge = _RIDGE * len(x) * np.eye(features.shape[1])
    project = np.linalg.solve(features.T @ features + ridge, features.T)
    # Of the logarithms of variances.
    weights, curve = np.zeros((len(drivers) + 1, dim)), np.zeros((len(drivers), dim))
    for _ in range(_SWEEPS):
        for i in np.flatnonzero(place.any(axis=0)):
            own = place[:, i]
            curve[own, i] = _place(x[:, i], u[:, own], np.exp(-0.5 * (features @ weights[:, i])))
        squares = (x - (u**2 - 1.0) @ curve) ** 2
        for _ in range(_STEPS):
            ratio = np.minimum(squares * np.exp(-(features @ weights)), _FAR)
            weights += _PART * (project @ (ratio - 1.0))
            weights[1:] *= scale
            weights[:, drivers] = 0.0
    return Coupled(drivers, weights[0] / 2.0, weights[1:] / 2.0, curve)


def _place(
    x: Float[np.ndarray, " draws"],
    u: Float[np.ndarray, "draws few"],
    root: Float[np.ndarray, " draws"],
) -> Float[np.ndarray, " few"]:
    """Regress an element on the squares of its drivers."""
    features = np.column_stack([np.ones(len(x)), u**2 - 1.0])
    return np.linalg.lstsq(features * root[:, None], x * root, rcond=None)[0][1:]
