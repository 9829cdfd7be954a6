"""Fits of a dense Gaussian to the scores of a target, and the loop that drives them."""

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from jaxtyping import Float

from taut.gaussian import DenseNormal, Normal, Vectors, Weights
from taut.gradients import BLOCK
from taut.matching.span import span, within

# Draws that one comparison of ELBOs takes at least, in so many batches at least.
_WINDOW, _FEWEST = 640, 5
# A batch decides a covariance where it has more draws than dimensions; up to so many draws.
_MOST_DRAWS = 1024
# Fewer dimensions count as so many where the strength is chosen.
_FEW = 8
# Gains of the ELBO, in nats, below which a window counts as flat; so many of them end a fit.
_FLAT, _FLATS = 0.01, 3
# The part of the least noise of the ELBO so far below which it shrinks, and the windows in a row
# without that after which it does not.
_NARROWED, _LOUD = 0.9, 3
# A loss of the ELBO from which a fit goes back to the best, in nats and in standard errors.
_LOSS, _LOSS_SE = 1.0, 4.0
# A fall from one batch to the next that takes back the step between, in units of the ELBO's size.
_FALL = 10.0
# How often a fit may go back, and how often in a row a batch may fail.
_REVERTS, _FAILURES = 10, 40
# Standard deviation of log p - log q, in nats, at which the two are the same.
_SAME = 1e-6
SETTLED, SAME = "the ELBO has settled", "log p and log q differ by a constant: the fit is exact"
LOST = "the ELBO falls again and again; the best fit is kept"
NEVER_FINITE = "the gradients are not finite around the approximation"


class ValuesAndSlopes(Protocol):
    """What `taut.gradients.Gradients` does."""

    def __call__(self, z: Vectors, /) -> tuple[Float[np.ndarray, " draws"], Vectors]: ...


@dataclass(frozen=True)
class Matched[N: Normal]:
    """What is reached after a batch.

    Parameters
    ----------
    normal
        The approximation.
    weights
        Of the batch it was made of, drawn from the Gaussian before.
    """

    normal: N
    weights: Weights

    @property
    def elbo(self) -> float:
        """The ELBO of the one before; minus infinity where it is not finite."""
        return self.weights.elbo


def match_batch(q: DenseNormal, noise: Vectors, slopes: Vectors, strength: float) -> DenseNormal:
    r"""Match the scores of a batch, held back by the distance from `q`.

    .. math:: \arg\min_{\tilde q} \frac1B \sum_b \lVert \nabla \log \tilde q(z_b) - g_b
              \rVert^2_{\tilde\Sigma} + \frac2\lambda \mathrm{KL}(q \Vert \tilde q)

    Its solution has a closed form, which here is found in the coordinates of the noise and in
    the span of the batch: O(dim² · draws), or O(dim³) with more draws than dimensions.

    Parameters
    ----------
    q
        Where the draws :math:`z_b` come from.
    noise
        Of the draws: :math:`z = \mu + A \epsilon`.
    slopes
        Gradients :math:`g_b` of the log density at the draws.
    strength
        The :math:`\lambda` of the paper: large to trust the batch, small to stay near `q`.

    References
    ----------
    Cai, Modi, Pillaud-Vivien, Margossian, Gower, Blei, Saul (2024), Batch and match: black-box
    variational inference with a score-based divergence, arXiv 2402.14758.
    """
    scores, share = q.pull(slopes), strength / (1.0 + strength)
    spread = np.sqrt(strength / len(noise))
    drawn = np.vstack([spread * (noise - noise.mean(0)), np.sqrt(share) * noise.mean(0)])
    pulled = np.vstack([spread * (scores - scores.mean(0)), np.sqrt(share) * scores.mean(0)])
    basis = span(np.vstack([drawn, pulled]))
    root = _solve(within(basis, drawn), within(basis, pulled))
    noise_mean, score_mean = within(basis, noise.mean(0)), within(basis, scores.mean(0))
    return q.changed(basis, share * (root @ (root.T @ score_mean) + noise_mean), root)


def _solve(
    drawn: Float[np.ndarray, "rows few"], pulled: Float[np.ndarray, "rows few"]
) -> Float[np.ndarray, "few few"]:
    r"""Find a root of the S with :math:`S U S + S = V`, U = pulled'pulled, V = I + drawn'drawn.

    With V = RR' and S = R X R' it is X W X + X = I, which eigenvectors of W solve one by one.
    No difference of large numbers occurs, and S is positive definite by construction.
    """
    outer = np.linalg.cholesky(np.eye(drawn.shape[1]) + drawn.T @ drawn)
    vectors, values, _ = np.linalg.svd(outer.T @ pulled.T)
    weights = np.zeros(len(outer))
    weights[: len(values)] = values
    # x = 2 / (1 + sqrt(1 + 4 w)), w the square of the singular value.
    return outer @ (vectors * np.sqrt(2.0 / (1.0 + np.hypot(1.0, 2.0 * weights))))


def match_draws(q: DenseNormal, noise: Vectors, slopes: Vectors, strength: float) -> DenseNormal:
    r"""Match the score of each draw by the nearest Gaussian, and average over the draws.

    Parameters
    ----------
    q, noise, slopes
        As in `match_batch`.
    strength
        Large to go to the average, small to stay near `q`: the share of the way is
        :math:`\lambda / (10 + \lambda)`.

    References
    ----------
    Modi, Margossian, Yao, Gower, Blei, Saul (2023), Variational Inference with Gaussian Score
    Matching.
    """
    scores, share = q.pull(slopes), strength / (10.0 + strength)
    basis = span(np.vstack([noise, scores]))
    e, g = within(basis, noise), within(basis, scores)
    along = np.sum(e * g, axis=1, keepdims=True)
    rho = 0.5 * np.sqrt(1.0 + 4.0 * (np.sum(g * g, axis=1, keepdims=True) + along**2)) - 0.5
    both = g + e
    rest = np.sum(g * both, axis=1, keepdims=True) / (1.0 + rho - along)
    steps = (both + e * rest) / (1.0 + rho)
    step, away = share * steps.mean(axis=0), steps - e
    cov = np.eye(e.shape[1]) + share * (e.T @ e - away.T @ away) / len(e)
    return q.changed(basis, step, np.linalg.cholesky(cov))


def draws_for(dim: int) -> int:
    """Choose draws of a batch: whole blocks of gradients, more than dimensions if that is few."""
    return min(_MOST_DRAWS, BLOCK * math.ceil((dim + 2) / BLOCK))


def batch_match(
    gradients: ValuesAndSlopes,
    begin: DenseNormal,
    random: np.random.Generator,
    *,
    draws: int | None = None,
    hopeless: float = math.inf,
) -> Generator[Matched[DenseNormal], None, str]:
    """Fit a dense Gaussian by batch and match, from any start.

    Gives what is reached after each iteration, and returns why it ends.

    Parameters
    ----------
    gradients
        Log densities and their gradients at many points.
    begin
        Where to begin.
    random
        Decides the noise.
    draws
        In a batch; by default `draws_for` the dimension.
    hopeless
        As in `match_scores`.
    """
    size = draws_for(len(begin.mean)) if draws is None else draws
    return match_scores(gradients, begin, random, size, match_batch, hopeless=hopeless)


def match_scores[N: Normal](
    gradients: ValuesAndSlopes,
    begin: N,
    random: np.random.Generator,
    size: int,
    update: Callable[[N, Vectors, Vectors, float], N],
    *,
    holds: bool = False,
    hopeless: float = math.inf,
) -> Generator[Matched[N], None, str]:
    """Update a Gaussian by batch after batch until the ELBO has settled.

    The strength is ``draws · dim / (iteration + 1)``: with more draws than dimensions Gaussian
    targets are found in about five batches. It is divided by 4 whenever the ELBO, which the
    batches give for free, has not grown over a window, and by 10 where it has fallen; the fit
    then goes back to the best. A batch that is not finite takes back the step before it.

    Parameters
    ----------
    gradients, random
        As in `batch_match`.
    begin
        As in `batch_match`.
    size
        Draws of a batch.
    update
        Makes a new Gaussian of the old one, noise, gradients and strength.
    holds
        Whether the strength stays as it is as long as the ELBO grows or its noise shrinks, as the
        noise of a Gaussian target does, to nothing.
    hopeless
        Divergence of a window, in nats, from which on the first flat one ends a fit: no Gaussian is
        near, and less noise would not bring one nearer.
    """
    pilot = _Pilot(begin, size, holds, hopeless)
    while True:
        q = pilot.q
        noise = random.standard_normal((size, q.noise_size))
        z, log_q = q.push(noise)
        with np.errstate(all="ignore"):
            values, slopes = gradients(z)
            good = np.isfinite(values) & np.isfinite(slopes).all(axis=1)
            matched = None
            if 2 * good.sum() >= size and good.sum() > 1:
                strength = pilot.strength(slopes[good].mean(axis=0))
                matched = attempt(update, q, noise[good], slopes[good], strength)
        end = pilot.fail() if matched is None else pilot.go(matched, (values - log_q)[good])
        weights = (values - log_q)[good]
        yield Matched(pilot.q, Weights(weights))
        if end is not None:
            return end


def attempt[N: Normal](
    update: Callable[[N, Vectors, Vectors, float], N],
    q: N,
    noise: Vectors,
    slopes: Vectors,
    strength: float,
) -> N | None:
    """Update, or find that it can not be done in floating-point numbers."""
    try:
        new = update(q, noise, slopes, strength)
    except np.linalg.LinAlgError:
        return None
    return new if new.is_finite else None


@dataclass
class _Pilot[N: Normal]:
    """Where a fit is, how strongly batches pull, and when it ends."""

    q: N
    size: int
    holds: bool
    hopeless: float
    damping: float = 1.0
    step: int = 0
    flat: int = 0
    reverts: int = 0
    failures: int = 0
    best: N | None = None
    best_elbo: float = -np.inf
    least_noise: float = np.inf
    loud: int = 0
    before: N | None = None
    last: float = -np.inf
    window: list[np.ndarray] = field(default_factory=list)

    def strength(self, slope: Float[np.ndarray, " dim"]) -> float:
        """Choose how strongly a batch with this mean gradient pulls."""
        dim = len(self.q.mean)
        if self.size <= dim and not self.holds:
            # Batches that do not decide the covariance are not to be trusted as much.
            return self.damping * self.size * min(dim / (self.step + 1), 1.0)
        # From far off, seen from which the target is a slope: what holds the fit back has to be
        # weak, else it creeps. Near the target this is less than 1.
        far = self.q.squared_length(slope)
        step = 0 if self.holds else self.step
        return self.damping * max(self.size * max(dim, _FEW) / (step + 1), far)

    def fail(self) -> str | None:
        """Take back the step before, or draw nearer to the mean where there is none."""
        self.failures += 1
        if self.failures > _FAILURES:
            self.q = self.best or self.q
            return NEVER_FINITE
        if self.before is None:
            self.q = self.q.scaled(0.5)
        else:
            self.q, self.before, self.damping = self.before, None, self.damping / 10
        return None

    def go(self, matched: N, weights: np.ndarray) -> str | None:
        """Take a step, and judge the window if it is full."""
        elbo = float(weights.mean())
        if self.before is not None and elbo < self.last - _FALL * (
            abs(self.last) + self.q.mean.size
        ):
            return self.fail()
        self.failures, self.last = 0, elbo
        self.before, self.q, self.step = self.q, matched, self.step + 1
        self.window.append(weights)
        # Numbers so large that their digits end before are no evidence.
        if weights.std() < _SAME and abs(elbo) < _SAME / np.finfo(float).eps:
            return SAME
        if len(self.window) < max(_FEWEST, -(-_WINDOW // self.size)):
            return None
        weights, self.window = np.concatenate(self.window), []
        error = float(weights.std() / np.sqrt(len(weights)))
        return self._judge(Weights(weights), float(weights.mean()), error)

    def _judge(self, weights: Weights, elbo: float, se: float) -> str | None:
        gain = elbo - self.best_elbo
        if gain < -max(_LOSS, _LOSS_SE * se):
            assert self.best is not None
            self.q, self.before, self.damping = self.best, None, self.damping / 10
            self.reverts += 1
            return LOST if self.reverts > _REVERTS else None
        self.best = self.q
        if se < _NARROWED * self.least_noise:
            self.least_noise, self.loud = se, 0
        else:
            self.loud += 1
        if gain < max(_FLAT, se) and not (self.holds and self.loud < _LOUD):
            self.holds = False
            self.flat, self.damping = self.flat + 1, self.damping / 4
            self.best_elbo = max(elbo, self.best_elbo)
            is_hopeless = weights.divergence > self.hopeless
            return SETTLED if is_hopeless or self.flat >= _FLATS else None
        # Still far off: the decay of the strength begins when the fit has arrived.
        if self.holds or gain > len(self.q.mean):
            self.step = 0
        self.flat, self.best_elbo = 0, elbo
        return None
