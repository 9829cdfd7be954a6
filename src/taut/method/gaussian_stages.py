"""The Gaussian stages of the automatic fit, which compete on their ELBO."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float

from taut.diagnose import criteria
from taut.gaussian import DenseNormal, LowRankNormal, Normal, ScaledLowRankNormal, Weights, as_dense
from taut.gradients import OutOfTime
from taut.matching import Matched, batch_match, draws_for, leap_and_patch
from taut.method.problem import Problem
from taut.modes import Basin, Modes, Search, counts, is_apart, is_parted, laplace_at

# Dimensions up to which a covariance is written out, and from which on few directions come first,
# if the best Gaussian is off by so many nats for each dimension.
DENSE, _WIDE, _FAR_EACH = 1000, 300, 0.05
# How far the best Gaussian may be off in so many dimensions, in nats for each, where it is moved to
# its mean and no dense one matched, which takes ten times as long.
_NEAR_EACH = 0.03
# How many times a variance may change in a step.
_MOST = 4.0
# Draws by which stages are compared, and fewer where each reads very many rows.
_DRAWS, _FEW_DRAWS = 512, 128
# Divergence of a batch, in nats, under which no other Gaussian would be better.
_CLOSE = 0.001
# Modes that are looked into at most, and how much higher than the best a peak has to be, in nats,
# to be looked at though the Gaussian found there is a lesser one.
_MODES, _HIGHER = 4, 1.0
# Score matching: batches at most, gradients at most, directions where a covariance is not written
# out. What chains can mend is not worth more.
_BATCHES, _MATCHED, _RANK = 400, 12_000, 10
# Draws of a batch, at least, where a gradient takes fewer operations than so many: what is done on
# the host for a batch takes longer.
_CHEAP_DRAWS, _CHEAP = 128, 30_000
# Divergence in nats, at least and for each dimension, from which on a Gaussian is left to chains.
_HOPELESS, _HOPELESS_EACH = 0.8, 0.02
# Batches that are compared with as many before, the gain for each dimension that is not worth more,
# in nats, and the dimensions from which on batches are large enough for that.
_FLAT_BATCHES, _FLAT_EACH, _LARGE = 4, 0.002, 100


class GaussianStages:
    """Stages that hand on the best Gaussian so far.

    Parameters
    ----------
    problem
        What is fitted.

    Attributes
    ----------
    best
        The best Gaussian, `None` before the first.
    elbo
        Its ELBO.
    weights
        Its importance weights.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._gradients, self._random = problem.gradients, problem.random
        self.best: Normal | None = None
        self.elbo = -np.inf
        self.weights = Weights(np.empty(0))
        self._search = Search(problem.gradients, problem.starts, problem.random)
        self._at: Basin | None = None
        self._modes: Modes | None = None
        self._draws = _DRAWS if problem.draft is None else _FEW_DRAWS

    @property
    def visited(self) -> Float[np.ndarray, "points dim"]:
        """Points of the paths, which have a finite density."""
        return np.array(self._search.visited).reshape(-1, len(self._problem.start))

    @property
    def is_exact(self) -> bool:
        """Whether log p and log q differ by a constant, nearly."""
        return is_exact(self.weights)

    def gaussians(self, draft: Normal | None = None) -> Iterator[Normal]:
        """Run the stages, and give the best Gaussian after each.

        Parameters
        ----------
        draft
            A Gaussian that is known to be near, in place of paths.
        """
        self.best = draft
        stages = (self._near() if draft is None else (), self._around(), self._elsewhere())
        try:
            for best in itertools.chain.from_iterable(stages):
                yield best
                if self._problem.is_late:
                    return
        except OutOfTime:
            if self.best is None:
                raise
            yield self.best

    def modes(self) -> Modes | None:
        """The Gaussians of several modes that count; `None` where there is one."""
        return self._modes

    def _around(self) -> Iterator[Normal]:
        """Match what is around the best Gaussian."""
        if self.best is None or self.is_exact:
            return
        dim = len(self._problem.start)
        if _WIDE < dim <= DENSE and self.weights.divergence < _NEAR_EACH * dim:
            yield self._match("moments by gradients at draws", self._stepped)
            return
        is_far = self.weights.divergence > _FAR_EACH * dim
        if dim > DENSE or (dim > _WIDE and is_far):
            yield self._match("low-rank batch and match", self._patched)
        if dim <= DENSE:
            yield self._match("batch and match", self._dense)

    def _near(self) -> Iterator[Normal]:
        """Find the mode, and what is around it."""
        self._follow_paths()
        if self.best is None:
            return
        yield self.best
        if len(self.best.mean) > DENSE:
            return
        for basin in self._peaks():
            yield self._laplace(basin)

    def _follow_paths(self) -> None:
        """Follow paths to modes, and take the best Gaussian along them."""
        search, journal = self._search, self._problem.journal
        with journal.stage("quasi-Newton paths", self._gradients) as stage:
            search.run(lambda: self._problem.is_late)
            if search.is_empty:
                return
            # Where nothing falls off anywhere: begin with a Gaussian around the start.
            best = ScaledLowRankNormal.diagonal(
                self._problem.start, np.ones(len(self._problem.start))
            )
            if search.basins:
                best = search.basins[0].normal
                stage.elbo = search.basins[0].candidate.elbo
        if len(best.mean) <= DENSE:
            best = as_dense(best)
        self._compete(best)
        self._at = search.basins[0] if search.basins else None
        self._count_starts(best)

    def _count_starts(self, best: Normal) -> None:
        """Write down how many paths came to the best Gaussian, where there were any."""
        if self._search.paths:
            found = self._search.came_to(self._at, best)
            self._problem.journal.starts = found, self._search.paths

    def _peaks(self) -> list[Basin]:
        """Return the basin of the best Gaussian, and those of peaks that are higher.

        Gaussians along paths tell little of the mass of a mode in many dimensions.
        """
        if self._at is None:
            return []
        first = self._at
        height = first.top.value + _HIGHER
        higher = [b for b in self._search.basins if b.is_peak and b.top.value > height]
        return [first, *sorted(higher, key=lambda basin: -basin.top.value)[: _MODES - 1]]

    def _elsewhere(self) -> Iterator[Normal]:
        """Look where paths came to that is far from the best Gaussian, and may be as good."""
        if self.best is None:
            return
        found = [(self.best, self.elbo)]
        for basin in self._search.basins if len(self.best.mean) <= DENSE else ():
            if len(found) == _MODES or self._problem.is_late:
                break
            if basin is self._at or not self._is_worth(basin, found):
                continue
            with self._problem.journal.stage("a Gaussian elsewhere", self._gradients) as stage:
                normal, before = self._fitted(basin.normal, self._dense), self.elbo
                stage.elbo = self._compete(normal).elbo
            if _is_new(normal, found):
                found.append((normal, stage.elbo))
            if self.elbo > before:
                self._at = basin
                yield self.best
        self._count_starts(self.best)
        self._modes = _those_that_count(found)

    def _is_worth(self, basin: Basin, found: list[tuple[Normal, float]]) -> bool:
        best = max(basin.candidate.elbo for basin in self._search.basins)
        if not (counts(basin.candidate.elbo, best) and _is_new(basin.normal, found)):
            return False
        # A path that came to no peak is no sign of a mode where the density rises all the way.
        assert self.best is not None
        return basin.is_peak or is_parted(self._gradients, basin.normal, self.best)

    def _laplace(self, basin: Basin) -> Normal:
        assert self.best is not None
        with self._problem.journal.stage("curvature at the mode", self._gradients) as stage:
            scale = np.clip(basin.normal.std, 1e-8, 1e8)
            found = laplace_at(self._gradients, basin.top.position, scale)
            if found is None:
                stage.note = "there is no mode that falls in all directions"
                return self.best
            before, elbo = self.elbo, self._compete(found).elbo
            if elbo > before:
                stage.elbo, self._at = elbo, basin
        return self.best

    def _match(self, name: str, fit: Callable[[Normal], Normal]) -> Normal:
        assert self.best is not None
        with self._problem.journal.stage(name, self._gradients) as stage:
            stage.elbo = self._compete(self._fitted(self.best, fit)).elbo
        return self.best

    def _fitted(self, begin: Normal, fit: Callable[[Normal], Normal]) -> Normal:
        """Fit a Gaussian from another one."""
        with np.errstate(all="ignore"):
            normal = fit(begin)
        return normal if normal.is_finite else begin

    def _dense(self, begin: Normal) -> Normal:
        cheap = _CHEAP_DRAWS if self._gradients.operations < _CHEAP else 0
        draws = max(draws_for(len(begin.mean)), self._gradients.together, cheap)
        hopeless = max(_HOPELESS, _HOPELESS_EACH * len(begin.mean))
        steps = batch_match(
            self._gradients, as_dense(begin), self._random, draws=draws, hopeless=hopeless
        )
        reached = self._last(steps, until_flat=True).normal
        return reached.triangular() if reached.is_finite else begin

    def _stepped(self, begin: Normal) -> Normal:
        """Step to the mean, and the scales in its own coordinates, that gradients at draws say.

        A step of natural gradients; draws come with their mirror images.
        """
        normal = as_dense(begin)
        half = self._random.normal(size=(_DRAWS // 2, len(begin.mean)))
        x = np.concatenate([half, -half])
        slopes = normal.pull(self._gradients(normal.mean + normal.color(x))[1])
        curvature = np.clip(-(x * slopes).sum(axis=0) / (x**2).sum(axis=0), 1 / _MOST, _MOST)
        step = normal.color((slopes.mean(axis=0) / curvature)[None])[0]
        return DenseNormal(normal.mean + step, normal.root / np.sqrt(curvature))

    def _patched(self, begin: Normal) -> Normal:
        """Never write a covariance out."""
        directions = 1e-2 * self._random.normal(size=(len(begin.mean), _RANK))
        wide = LowRankNormal(begin.mean, begin.std**2, begin.std[:, None] * directions)
        steps = leap_and_patch(self._gradients, wide, self._random, self._gradients.together)
        # A dense Gaussian comes after it, or nothing does.
        reached = self._last(steps, until_flat=len(begin.mean) <= DENSE).normal
        return reached.squared()

    def _last[N: Normal](self, steps: Iterator[Matched[N]], *, until_flat: bool) -> Matched[N]:
        """Go on to the end, or until it is enough."""
        reached, elbos, before = next(steps), list[float](), np.inf
        most = self._gradients.count + _MATCHED
        for reached in itertools.islice(steps, _BATCHES):
            elbos.append(reached.elbo)
            # Gaussians are found exactly: then it falls on and on.
            divergence = reached.weights.divergence
            is_close, before = before / 2 < divergence < _CLOSE, divergence
            is_flat_ = until_flat and is_flat(elbos, len(self._problem.start))
            # What is reached has to be weighed in the time that is left.
            is_late = not self._problem.has_time_for(self._draws)
            if is_close or is_flat_ or is_late or self._gradients.count > most:
                break
        return reached

    def _compete(self, normal: Normal) -> Weights:
        """Keep a Gaussian if its ELBO, of fresh draws, is the best so far.

        Of those that are next to exact it is noise, and their divergence tells which is nearer.
        """
        is_first = self.best is None
        if is_first:
            # It is kept if there is no time to weigh it.
            self.best = normal
        weights = self._weigh(normal)
        is_better = weights.elbo > self.elbo
        if is_exact(weights) and self.is_exact:
            is_better = weights.divergence < self.weights.divergence
        if is_first or is_better:
            self.best, self.elbo, self.weights = normal, weights.elbo, weights
        return weights

    def _weigh(self, normal: Normal) -> Weights:
        with np.errstate(all="ignore"):
            z, log_q = normal.draw(self._random, self._draws)
            return Weights(self._gradients(z)[0] - log_q)


def is_exact(weights: Weights) -> bool:
    """Whether a Gaussian with such weights is as good as the posterior, where it looks."""
    return weights.divergence < criteria.CRITERIA.exact_divergence


def is_flat(elbos: list[float], dim: int) -> bool:
    """Whether the last batches gained next to nothing over those before, for so many dimensions.

    With few dimensions batches are small, their ELBOs noise, and the fit ends by itself.
    """
    before, last = elbos[-2 * _FLAT_BATCHES : -_FLAT_BATCHES], elbos[-_FLAT_BATCHES:]
    if dim < _LARGE or len(before) < _FLAT_BATCHES:
        return False
    return bool(abs(np.median(last) - np.median(before)) < _FLAT_EACH * dim)


def _is_new(normal: Normal, found: list[tuple[Normal, float]]) -> bool:
    return all(is_apart(other, normal) for other, _ in found)


def _those_that_count(found: list[tuple[Normal, float]]) -> Modes | None:
    """Leave out modes that have no mass beside the best; `None` where only one is left."""
    best = max(elbo for _, elbo in found)
    kept = sorted((pair for pair in found if counts(pair[1], best)), key=lambda pair: -pair[1])
    if len(kept) < 2:
        return None
    return Modes(tuple(normal for normal, _ in kept), tuple(elbo for _, elbo in kept))
