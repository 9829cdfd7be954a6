"""The Gaussian stages of the automatic fit, which compete on their ELBO."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from taut.diagnose import Weights, criteria
from taut.method.direct import Problem
from taut.method.laplace_fit import laplace_at
from taut.method.lbfgs import Point, ascend
from taut.method.leaping import leap_and_patch
from taut.method.mixed_modes import Modes, counts, is_apart
from taut.method.patching import LowRankGaussian
from taut.method.path_gaussians import Candidate, best_of_paths
from taut.method.score_matching import AnyGaussian, Matched, batch_match, draws_for
from taut.normal import Dense, Normal, Structured, structured

# Paths, and how far from the start they begin, in the unconstrained space.
_PATHS, _APART = 8, 2.0
# Dimensions up to which a covariance is written out, and from which on few directions come first,
# if the best Gaussian is off by so many nats for each dimension.
DENSE, _WIDE, _FAR_EACH = 1000, 300, 0.05
# Draws by which stages are compared, and fewer where each reads very many rows.
_DRAWS, _FEW_DRAWS = 512, 128
# Divergence of a batch, in nats, under which no other Gaussian would be better.
_CLOSE = 0.001
# Modes that are looked into at most.
_MODES = 4
# Score matching: batches at most, gradients at most, directions where a covariance is not written
# out. What chains can mend is not worth more.
_BATCHES, _MATCHED, _RANK = 400, 12_000, 10
# Batches that are compared with as many before, the gain for each dimension that is not worth more,
# in nats, and the dimensions from which on batches are large enough for that.
_FLAT_BATCHES, _FLAT_EACH, _LARGE = 4, 0.002, 100


class Climb:
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
    visited
        Points of the paths, which have a finite density.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._gradients, self._random = problem.gradients, problem.random
        self.best: Normal | None = None
        self.elbo = -np.inf
        self.weights = Weights(np.empty(0))
        self.visited = np.empty((0, len(problem.start)))
        self._candidates: list[Candidate] = []
        self._draws = _DRAWS if problem.draft is None else _FEW_DRAWS

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
        for best in self._near() if draft is None else ():
            yield best
            if self._problem.is_late:
                return
        if self.best is None or self.is_exact:
            return
        dim = len(self._problem.start)
        is_far = self.weights.divergence > _FAR_EACH * dim
        if dim > DENSE or (dim > _WIDE and is_far):
            yield self._match("low-rank batch and match", self._patched)
            if self._problem.is_late:
                return
        if dim <= DENSE:
            yield self._match("batch and match", self._dense)

    def _near(self) -> Iterator[Normal]:
        """Find the mode, and what is around it."""
        self._candidates = self._paths()
        if not self._candidates:
            return
        best = self._candidates[0].normal
        if isinstance(best, Structured) and len(best.mean) <= DENSE:
            best = best.dense()
        self._compete(best)
        assert self.best is not None
        yield self.best
        if len(best.mean) <= DENSE:
            yield self._laplace()

    def modes(self) -> Modes | None:
        """Look where paths came to that is far from the best Gaussian; `None` if nowhere."""
        assert self.best is not None
        if not self._candidates:
            return None
        found, elbos = [self.best], [self.elbo]
        away = sum(is_apart(self.best, candidate.normal) for candidate in self._candidates)
        self._problem.journal.starts = len(self._candidates) - away, _PATHS
        for candidate in self._candidates[1:]:
            if len(found) == _MODES or self._problem.is_late or len(self.best.mean) > DENSE:
                break
            close = counts(candidate.elbo, self._candidates[0].elbo)
            if not close or not self._is_new(candidate.normal, found):
                continue
            with self._problem.journal.stage("a Gaussian elsewhere", self._gradients) as stage:
                normal = self._fitted(candidate.normal, self._dense)
                stage.elbo = self._weigh(normal).elbo
            if counts(stage.elbo, self.elbo) and self._is_new(normal, found):
                found.append(normal)
                elbos.append(stage.elbo)
        return Modes(tuple(found), tuple(elbos)) if len(found) > 1 else None

    def _is_new(self, normal: Normal, found: list[Normal]) -> bool:
        return all(is_apart(other, normal) for other in found)

    def _paths(self) -> list[Candidate]:
        start, journal = self._problem.start, self._problem.journal
        with journal.stage("quasi-Newton paths", self._gradients) as stage:
            apart = _APART * self._random.uniform(-1.0, 1.0, (_PATHS, len(start)))
            apart[0] = 0.0
            paths = ascend(self._gradients, start + apart)
            candidates = best_of_paths(self._gradients, paths, self._random)
            if not candidates and any(paths):
                # Nothing falls off anywhere: begin with a Gaussian around the start.
                around = Structured.diagonal(start, np.ones(len(start)))
                candidates = [Candidate(around, 0, -np.inf)]
            if candidates:
                stage.elbo = candidates[0].elbo
        points = [point.position for path in paths for point in path if point.is_finite]
        self.visited = np.array(points).reshape(-1, len(start))
        self._top = max((path[-1] for path in paths if path), key=_height, default=None)
        return candidates

    def _laplace(self) -> Normal:
        assert self._top is not None
        assert self.best is not None
        with self._problem.journal.stage("curvature at the mode", self._gradients) as stage:
            scale = np.clip(self.best.std, 1e-8, 1e8)
            found = laplace_at(self._gradients, self._top.position, scale)
            if found is None:
                stage.note = "there is no mode that falls in all directions"
                return self.best
            before, elbo = self.elbo, self._compete(found).elbo
            stage.elbo = elbo if elbo > before else np.nan
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
        return normal if np.isfinite(normal.std).all() else begin

    def _dense(self, begin: Normal) -> Normal:
        root = begin.colour(np.eye(len(begin.mean)))
        draws = max(draws_for(len(begin.mean)), self._gradients.together)
        steps = batch_match(self._gradients, begin.mean, root.T @ root, self._random, draws=draws)
        reached = self._last(steps, until_flat=True).gaussian
        return Dense.of(reached.mean, reached.cov) if np.isfinite(reached.cov).all() else begin

    def _patched(self, begin: Normal) -> Normal:
        """Never write a covariance out."""
        directions = 1e-2 * self._random.normal(size=(len(begin.mean), _RANK))
        wide = LowRankGaussian(begin.mean, begin.std**2, begin.std[:, None] * directions)
        steps = leap_and_patch(self._gradients, wide, self._random, self._gradients.together)
        # A dense Gaussian comes after it, or nothing does.
        reached = self._last(steps, until_flat=len(begin.mean) <= DENSE).gaussian
        return structured(reached.mean, reached.diagonal, reached.factor)

    def _last[G: AnyGaussian](self, steps: Iterator[Matched[G]], *, until_flat: bool) -> Matched[G]:
        """Go on to the end, or until it is enough."""
        reached, elbos, before = next(steps), list[float](), np.inf
        most = self._gradients.count + _MATCHED
        for reached in itertools.islice(steps, _BATCHES):
            elbos.append(reached.elbo)
            # Gaussians are found exactly: then it falls on and on.
            divergence = reached.weights.divergence
            is_close, before = before / 2 < divergence < _CLOSE, divergence
            is_flat_ = until_flat and is_flat(elbos, len(self._problem.start))
            if is_close or is_flat_ or self._problem.is_late or self._gradients.count > most:
                break
        return reached

    def _compete(self, normal: Normal) -> Weights:
        """Keep a Gaussian if its ELBO, of fresh draws, is the best so far."""
        weights = self._weigh(normal)
        if self.best is None or weights.elbo > self.elbo:
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


def _height(point: Point) -> float:
    return point.value
