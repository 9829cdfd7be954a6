"""Low-rank batch and match: leaps as long as these help, then steps that hold out noise."""

import math
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from taut.gaussian import LowRankNormal, Weights
from taut.gradients import BLOCK
from taut.matching.driver import SAME, Matched, ValuesAndSlopes, attempt, match_scores
from taut.matching.low_rank import match_and_patch
from taut.matching.low_rank_exact import match_form

# Draws of a leap, for each direction and the diagonal.
_DRAWS_EACH = 4
# Fewer dimensions count as so many where the strength is chosen.
_FEW = 100
# Leaps in a row that may be no better than the best.
_MISSES = 3
# Standard deviation of log p - log q, in nats, at which the two are the same. Values of size
# 1 000 at condition numbers of 1e6 have no more digits.
_SAME = 1e-4
# A loss that is noise, in standard errors, and how much less they have to be then.
_NOISE, _NARROWER = 2.0, 0.8


@dataclass(frozen=True)
class _Landed:
    """Where a leap came to, with its ELBO and the standard error of that."""

    normal: LowRankNormal
    elbo: float
    se: float

    def beats(self, other: "_Landed") -> bool:
        """Whether this is better: by its ELBO, or, where that is noise, by its spread."""
        gain, noise = self.elbo - other.elbo, math.hypot(self.se, other.se)
        return gain > noise or (gain > -_NOISE * noise and self.se < _NARROWER * other.se)


def leap_and_patch(
    gradients: ValuesAndSlopes, begin: LowRankNormal, random: np.random.Generator, size: int
) -> Generator[Matched[LowRankNormal], None, str]:
    """Fit a diagonal and a few directions, from any start.

    First batches are trusted, and matched within the form: where the target is a Gaussian of the
    form that ends with it, after about ten batches. On others it soon gets no better, and from the
    best so far the fit goes on by steps that are held back and patched, until the ELBO settles.

    Parameters
    ----------
    gradients
        Log densities and their gradients at many points.
    begin
        Where to begin.
    random
        Decides the noise.
    size
        Draws of a batch; leaps take more where these are too few for the directions.
    """
    best, is_same = yield from _leap(gradients, begin, random, size)
    if is_same:
        return SAME
    return (yield from match_scores(gradients, best, random, size, match_and_patch))


def _leap(
    gradients: ValuesAndSlopes, q: LowRankNormal, random: np.random.Generator, size: int
) -> Generator[Matched[LowRankNormal], None, tuple[LowRankNormal, bool]]:
    """Leap until it gets no better; give the best, and whether it is the target."""
    size = BLOCK * math.ceil(max(size, _DRAWS_EACH * (q.factor.shape[1] + 1)) / BLOCK)
    best, misses, step = _Landed(q, -math.inf, 0.0), 0, 0
    while misses < _MISSES:
        step += 1
        noise = random.standard_normal((size, q.noise_size))
        with np.errstate(all="ignore"):
            z, log_q = q.push(noise)
            values, slopes = gradients(z)
            weights = Weights(values - log_q)
            if not (np.isfinite(weights.values).all() and np.isfinite(slopes).all()):
                break
            elbo, spread = weights.elbo, float(weights.values.std())
            landed = _Landed(q, elbo, spread / math.sqrt(size))
            is_same = spread < _SAME and abs(elbo) < _SAME / np.finfo(float).eps
            # What is exact beats what luck has given a higher ELBO.
            if is_same or landed.beats(best):
                best, misses = landed, 0
            else:
                misses += 1
            yield Matched(best.normal, weights)
            if is_same:
                return q, True
            strength = size * max(len(q.mean), _FEW) / (step + 1)
            new = attempt(match_form, q, noise, slopes, strength)
        if new is None:
            break
        q = new
    return best.normal, False
