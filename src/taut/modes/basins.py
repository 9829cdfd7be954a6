"""Which modes quasi-Newton paths came to, and how many of them came to each.

Paths of several kinds follow each other until the best mode has been found by three of them, 64 at
most. Two peaks are one if they are as high and not far apart, seen by the Gaussian of either.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from taut.gaussian import Normal
from taut.gradients import AbstractGradients
from taut.modes.lbfgs import PathPoint, ascend
from taut.modes.mixture import is_apart, is_far_out
from taut.modes.path_gaussians import Candidate, best_of_paths, gaussians_at
from taut.modes.starts import Starts

# Paths after the first: round by round and so many in all, until the best mode was found by some of
# them, or more gradients than so many would be spent.
_ROUNDS, _PATHS, _ENOUGH, _MOST = (8, 16, 32), 64, 3, 16_000
# Where a path takes no more gradients than so many, so many others look farther out though the
# first agree, and so many Gaussians of one peak are enough.
_QUICK, _FAR, _LOOKED = 25, 16, 3
# Points among which starts are sought where the density is finite at none of the first.
_SOUGHT = 256
# What a path that has come to a peak can still gain, and gained in the last steps, this share of
# all; and how far the peaks of one mode may be from each other, in nats.
_LEFT, _LAST, _SAME = 0.5, 0.25, 3.0


@dataclass(frozen=True)
class End:
    """Where a path ended.

    Parameters
    ----------
    top
        Its last point.
    is_peak
        Whether it came to a peak: it gained nothing in its last steps, nor would by a Newton step.
    """

    top: PathPoint
    is_peak: bool

    @classmethod
    def of(cls, path: list[PathPoint]) -> "End":
        """Look at the last points of a path."""
        top = path[-1]
        with np.errstate(all="ignore"):
            left = 0.5 * (top.slope @ top.curvature.times(top.slope))
        gained = top.value - path[int((1.0 - _LAST) * len(path))].value
        return cls(top, bool(abs(left) < _LEFT and gained < _LEFT))


@dataclass
class Basin:
    """A mode, or a place from which the density only rises on.

    Parameters
    ----------
    candidate
        Its best Gaussian.
    end
        Where the path of this Gaussian ended.
    found
        How many paths came to it.
    """

    candidate: Candidate
    end: End
    found: int = 1

    @property
    def normal(self) -> Normal:
        """Its best Gaussian."""
        return self.candidate.normal

    @property
    def top(self) -> PathPoint:
        """Its highest point, as far as its path went."""
        return self.end.top

    @property
    def is_peak(self) -> bool:
        """Whether a path came to its end there."""
        return self.end.is_peak

    def has(self, end: End, normal: Normal | None) -> bool:
        """Return whether a path that ended there, with this Gaussian, came to this mode.

        Two peaks are one if they are as high as each other and not far apart, seen from either.
        Where a path has not come to a peak, its Gaussian tells where it was; one that is higher
        than a peak is on its way elsewhere.
        """
        higher = end.top.value - self.top.value
        if end.is_peak and self.is_peak:
            return _is_one_peak(end, self.end, (self.normal, normal))
        if normal is None or (self.is_peak and higher > _SAME):
            return False
        return not is_apart(self.normal, normal)


def _is_one_peak(one: End, other: End, spreads: Iterable[Normal | None]) -> bool:
    step = one.top.position - other.top.position
    are_apart = any(n is not None and is_far_out(n, n.mean + step) for n in spreads)
    return abs(one.top.value - other.top.value) < _SAME and not are_apart


class Search:
    """Paths, and the basins that they came to.

    Parameters
    ----------
    gradients
        Of the log density.
    starts
        Where paths begin.
    random
        Decides their starts, and the draws by which Gaussians are compared.

    Attributes
    ----------
    basins
        Those found so far, that with the best Gaussian first.
    paths
        How many have been followed.
    is_empty
        Whether the density was finite at no start.
    visited
        Points of the paths, which have a finite density.
    """

    def __init__(
        self, gradients: AbstractGradients, starts: Starts, random: np.random.Generator
    ) -> None:
        self._gradients, self._starts, self._random = gradients, starts, random
        self.basins: list[Basin] = []
        self.visited: list[Float[np.ndarray, " dim"]] = []
        self.paths, self.is_empty = 0, True
        self._is_quick = False

    def run(self, is_late: Callable[[], bool]) -> None:
        """Follow the first paths, and more where these do not agree."""
        begun = self._gradients.count
        first = self._starts.first(self._random)
        self._follow(first)
        if self.is_empty:
            self._follow(self._inside()[: len(first)])
        if self._is_quick and len(self.basins) == 1 and self.basins[0].is_peak:
            self._follow(self._starts.far(_FAR, self._random), only_peaks=True)
        for number, most in enumerate(_ROUNDS):
            count = min(most, _PATHS - self.paths)
            spent = self._gradients.count - begun
            is_dear = spent * (1 + count / self.paths) > _MOST
            if is_late() or is_dear or not self._goes_on(is_first=number == 0):
                return
            self._follow(self._starts.more(count, self._random))

    def _inside(self) -> Float[np.ndarray, "points dim"]:
        """Return those of many starts at which value and gradient are finite."""
        points = self._starts.more(_SOUGHT, self._random)
        values, slopes = self._gradients(points)
        return points[np.isfinite(values) & np.isfinite(slopes).all(axis=1)]

    def came_to(self, basin: Basin | None, normal: Normal) -> int:
        """Count the paths that came to a basin, or to a Gaussian from where there was no peak."""
        return sum(
            one.found
            for one in self.basins
            if one is basin or not (one.is_peak or is_apart(normal, one.normal))
        )

    def _goes_on(self, *, is_first: bool) -> bool:
        """Return whether the best mode may have been missed.

        If the first paths differ others follow; and where none comes to a peak these are the last.
        """
        if not self.basins:
            return False
        is_found = self.basins[0].found >= _ENOUGH
        if is_first:
            return not is_found or any(basin.is_peak for basin in self.basins[1:])
        return not is_found and any(basin.is_peak for basin in self.basins)

    def _follow(self, starts: Float[np.ndarray, "paths dim"], *, only_peaks: bool = False) -> None:
        begun = self._gradients.count
        paths = [path for path in ascend(self._gradients, starts) if path]
        self.visited += [point.position for path in paths for point in path]
        self.paths += len(starts)
        self.is_empty &= not paths
        self._is_quick = self._gradients.count - begun <= _QUICK * len(starts)
        ends = [End.of(path) for path in paths]
        looked_at = [i for i, end in enumerate(ends) if end.is_peak or not only_peaks]
        unknown = [i for i in looked_at if not self._is_known(ends[i])]
        some = self._few_of_each(ends, unknown) if self._is_quick else unknown
        self._look_at(paths, ends, some)
        left = [i for i in unknown if i not in some and not self._is_known(ends[i])]
        self._look_at(paths, ends, left)
        self.basins.sort(key=lambda basin: -basin.candidate.elbo)

    def _few_of_each(self, ends: list[End], numbers: list[int]) -> list[int]:
        """Leave out paths that came to the same peak as some others before them."""
        few: list[int] = []
        spreads = gaussians_at([ends[i].top for i in numbers])
        for i, spread in zip(numbers, spreads, strict=True):
            alike = (j for j in few if ends[i].is_peak and ends[j].is_peak)
            if sum(_is_one_peak(ends[i], ends[j], (spread,)) for j in alike) < _LOOKED:
                few.append(i)
        return few

    def _is_known(self, end: End) -> bool:
        """Count a path that came to a peak found before: its Gaussians need not be looked at."""
        for basin in self.basins:
            if end.is_peak and basin.is_peak and basin.has(end, None):
                basin.found += 1
                return True
        return False

    def _look_at(self, paths: list[list[PathPoint]], ends: list[End], numbers: list[int]) -> None:
        """Find the best Gaussians of some paths, and put them where they belong."""
        found = best_of_paths(self._gradients, [paths[i] for i in numbers], self._random)
        for candidate in found:
            self._sort_in(candidate, ends[numbers[candidate.path]])

    def _sort_in(self, candidate: Candidate, end: End) -> None:
        for basin in self.basins:
            if basin.has(end, candidate.normal):
                basin.found += 1
                if candidate.elbo > basin.candidate.elbo:
                    basin.candidate, basin.end = candidate, end
                return
        self.basins.append(Basin(candidate, end))
