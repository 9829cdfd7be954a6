"""Exact answers by quadrature: densities on cells, with Gaussians or angles given what is there.

Edges of cells lie on the jumps and kinks that are parallel to an axis, so that the midpoint rule
errs by the square of a cell's width. `fineness` divides all cells: twice as fine has to change
nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import numpy as np
from scipy.special import ive

from benchmarks.posteriors.base import Draws, Moments
from benchmarks.posteriors.scales import SCALES


class Answer(Protocol):
    """Exact draws, and moments of each variable on the scale on which it is judged."""

    def draws(self, rng: np.random.Generator, count: int) -> Draws:
        """Draw independently, ``(count, *shape)`` for each variable."""
        ...

    def moments(self, scales: Mapping[str, str]) -> Moments:
        """Compute mean and standard deviation."""
        ...


def even(low: float, high: float, cells: int, breaks: Sequence[float] = ()) -> np.ndarray:
    """Compute edges of nearly even cells, one edge on each break.

    Examples
    --------
    >>> from benchmarks.posteriors.odd.grids import even
    >>> even(0.0, 1.0, 4, [0.4]).round(2).tolist()
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    ends = [low, *sorted(at for at in breaks if low < at < high), high]
    parts = [
        np.linspace(left, right, 1 + int(np.ceil(cells * (right - left) / (high - low))))
        for left, right in pairwise(ends)
    ]
    return np.concatenate([parts[0], *(part[1:] for part in parts[1:])])


def stretched(scale: float, farthest: float, cells: int) -> np.ndarray:
    """Compute edges on both sides of zero that grow with the distance, for heavy tails."""
    return scale * np.sinh(np.linspace(-1.0, 1.0, cells + 1) * np.arcsinh(farthest / scale))


@dataclass(frozen=True)
class Grid:
    """A density on cells, uniform in each.

    Parameters
    ----------
    log_density
        Takes the middles of cells of each axis, in the order of `edges`, as arrays that broadcast.
    edges
        Of the cells, by variable.
    """

    log_density: Callable[..., np.ndarray]
    edges: Mapping[str, np.ndarray]

    @cached_property
    def middles(self) -> dict[str, np.ndarray]:
        """Of the cells of each axis."""
        return {name: (edges[1:] + edges[:-1]) / 2 for name, edges in self.edges.items()}

    @cached_property
    def probability(self) -> np.ndarray:
        """Of each cell, ``(cells of the first axis, of the second, …)``."""
        open_ = np.meshgrid(*self.middles.values(), indexing="ij", sparse=True)
        widths = np.meshgrid(*map(np.diff, self.edges.values()), indexing="ij", sparse=True)
        log_mass = self.log_density(*open_) + sum(np.log(width) for width in widths)
        mass = np.exp(log_mass - log_mass.max())
        return mass / mass.sum()

    def marginal(self, name: str) -> np.ndarray:
        """Sum the other axes out."""
        others = tuple(i for i, axis in enumerate(self.edges) if axis != name)
        return self.probability.sum(axis=others)

    def moments(self, scales: Mapping[str, str]) -> Moments:
        """Compute mean and standard deviation of each variable."""
        return {
            name: _moments(
                SCALES[scales.get(name, "as it is")](self.middles[name]), self.marginal(name)
            )
            for name in self.edges
        }

    def cells(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, ...]:
        """Draw cells: an index for each axis."""
        reached = np.cumsum(self.probability.ravel())
        flat = np.searchsorted(reached, rng.uniform(high=reached[-1], size=count))
        return np.unravel_index(flat, self.probability.shape)

    def draws(self, rng: np.random.Generator, count: int) -> Draws:
        """Draw a cell, then uniformly in it."""
        return self.inside(rng, self.cells(rng, count))

    def inside(self, rng: np.random.Generator, cells: tuple[np.ndarray, ...]) -> Draws:
        """Draw uniformly in cells."""
        return {
            name: rng.uniform(edges[index], edges[index + 1])
            for (name, edges), index in zip(self.edges.items(), cells, strict=True)
        }


def _moments(values: np.ndarray, probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = probability @ values
    return mean, np.sqrt(probability @ (values - mean) ** 2)


@dataclass(frozen=True)
class Independent:
    """Several answers that know nothing of one another, each a part of one vector or a variable.

    Parameters
    ----------
    parts
        One-dimensional grids, by variable: one for each element of a vector.
    """

    parts: Mapping[str, Sequence[Grid]]

    def draws(self, rng: np.random.Generator, count: int) -> Draws:
        """Draw each element by itself."""
        return {
            name: np.stack([next(iter(g.draws(rng, count).values())) for g in grids], axis=-1)
            for name, grids in self.parts.items()
        }

    def moments(self, scales: Mapping[str, str]) -> Moments:
        """Compute the moments of each element."""
        found = {}
        for name, grids in self.parts.items():
            scale = SCALES[scales.get(name, "as it is")]
            pairs = [_moments(scale(g.middles["x"]), g.probability) for g in grids]
            found[name] = tuple(np.array(part) for part in zip(*pairs, strict=True))
        return found


@dataclass(frozen=True)
class Linear:
    """Coefficients that are normal given one variable on a grid.

    ``y ~ Normal(design(v) @ coefficients, noise)`` with independent normal priors around zero.

    Parameters
    ----------
    names
        Of the coefficients.
    prior_sd
        Of each.
    design
        From a value of the variable to ``(rows, coefficients)``.
    y, noise
        Rows, and their standard deviation.
    variable, edges
        Name and cells of the variable; its prior is uniform there.
    """

    names: Sequence[str]
    prior_sd: np.ndarray
    design: Callable[[float], np.ndarray]
    y: np.ndarray
    noise: float
    variable: str
    edges: np.ndarray

    @cached_property
    def _given(self) -> tuple[Grid, np.ndarray, np.ndarray]:
        """The variable's grid, and mean and covariance of the coefficients in each cell."""
        middles = (self.edges[1:] + self.edges[:-1]) / 2
        evidence, means, covs = zip(
            *(self._conjugate(self.design(v)) for v in middles), strict=True
        )
        grid = Grid(lambda v: np.array(evidence), {self.variable: self.edges})
        return grid, np.array(means), np.array(covs)

    def _conjugate(self, design: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        precision = np.diag(self.prior_sd**-2.0) + design.T @ design / self.noise**2
        cov = np.linalg.inv(precision)
        mean = cov @ design.T @ self.y / self.noise**2
        evidence = 0.5 * (mean @ precision @ mean - np.linalg.slogdet(precision)[1])
        return float(evidence), mean, cov

    def draws(self, rng: np.random.Generator, count: int) -> Draws:
        """Draw the variable, then the coefficients given its cell."""
        grid, means, covs = self._given
        cells = grid.cells(rng, count)
        noise = rng.normal(size=(count, len(self.names), 1))
        drawn = means[cells] + (np.linalg.cholesky(covs)[cells] @ noise)[..., 0]
        return grid.inside(rng, cells) | dict(zip(self.names, drawn.T, strict=True))

    def moments(self, scales: Mapping[str, str]) -> Moments:
        """Compute moments of a mixture of Gaussians."""
        assert not scales
        grid, means, covs = self._given
        mean = grid.probability @ means
        within = np.diagonal(covs, axis1=1, axis2=2)
        sd = np.sqrt(grid.probability @ (within + (means - mean) ** 2))
        return grid.moments({}) | {
            name: (mean[i], sd[i]) for i, name in enumerate(self.names)
        }  # fmt: skip


@dataclass(frozen=True)
class Angles:
    """Latent angles that are von Mises given a direction and a concentration on a grid.

    Parameters
    ----------
    grid
        Of ``direction`` and ``concentration``.
    name
        Of the angles.
    observed, known
        What was measured of each, and the concentration of these measurements.
    """

    grid: Grid
    name: str
    observed: np.ndarray
    known: float
    _turn: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Keep measurements as points of the plane."""
        object.__setattr__(self, "_turn", self.known * np.exp(1j * self.observed))

    def _resultant(self, direction: np.ndarray, concentration: np.ndarray) -> np.ndarray:
        """Length and angle of the conditional von Mises, as points of the plane."""
        pull = np.asarray(concentration * np.exp(1j * direction))
        return pull[..., None] + self._turn

    def draws(self, rng: np.random.Generator, count: int) -> Draws:
        """Draw direction and concentration, then the angles."""
        drawn = dict(self.grid.draws(rng, count))
        found = self._resultant(*drawn.values())
        return drawn | {self.name: rng.vonmises(np.angle(found), np.abs(found))}

    def moments(self, scales: Mapping[str, str]) -> Moments:
        """Compute moments on the diagonals of the plane, by ratios of Bessel functions."""
        assert scales[self.name] == "diagonals"
        found = self._resultant(
            *np.meshgrid(*self.grid.middles.values(), indexing="ij", sparse=True)
        )
        length, at = np.abs(found), np.angle(found) - np.pi / 4
        first, second = (ive(order, length) / ive(0, length) for order in (1, 2))
        mean = self._average(np.stack([first * np.cos(at), first * np.sin(at)], axis=-1))
        twice = self._average(second * np.cos(2 * at))
        squares = np.stack([1 + twice, 1 - twice], axis=-1) / 2
        own = mean, np.sqrt(squares - mean**2)
        return self.grid.moments(scales) | {self.name: own}

    def _average(self, values: np.ndarray) -> np.ndarray:
        return np.einsum("ij,ij...->...", self.grid.probability, values)
