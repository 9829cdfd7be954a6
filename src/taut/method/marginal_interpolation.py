"""Latents given the globals, interpolated between weighted draws of these."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float, Int

from taut.diagnose import Shifted
from taut.family import InterpolatedConditional, cardinal_splines
from taut.marginal import Estimate, Integrand, Value
from taut.method.marginal_fit import Draws, Latents, MarginalFit

Each = Float[np.ndarray, " draws"]
Moments = tuple[Latents, Latents, Latents]

# Points for each global unknown and one more; at most, and numbers of latents that they may hold.
_EACH, _MOST_POINTS, _MOST_NUMBERS = 8, 64, 10_000_000
# What every draw that has a weight weighs at least, of one share each.
_FLOOR = 1e-3
# Share of the draws that a weight is at least whose globals may be drawn.
_NEGLIGIBLE = 1e-4
# Draws at which spread is checked where it takes as long as the density; numbers at a time.
_CHECKS, _AT_ONCE = 8, 4_000_000
# Standard deviation of a log scale over the globals that is worth an interpolation.
_MATERIAL = 0.1


@final
@dataclass(frozen=True, eq=False)
class Interpolation:
    """Latents given the globals, and how far their marginals are off.

    Parameters
    ----------
    conditional
        Means and scales.
    left
        Compares the marginals with those of the weighted draws.
    """

    conditional: InterpolatedConditional
    left: Shifted


def scales_move(share: Each, found: Sequence[Value | Estimate]) -> bool:
    """Whether how wide latents are depends on the globals, as far as that is known of all draws."""
    known = [one.variances for one in found if isinstance(one, Value) and one.variances is not None]
    if len(known) < len(share):
        return False
    first = second = np.zeros(len(known[0]))
    share = share * np.array([_is_finite(one) for one in found])
    for i in np.flatnonzero(share):
        log_scale = 0.5 * np.log(known[i])
        first, second = first + share[i] * log_scale, second + share[i] * log_scale**2
    return bool((second - first**2).max() > _MATERIAL**2)


def interpolation(
    integrand: Integrand,
    fit: MarginalFit,
    share: Each,
    theta: Draws,
    found: Sequence[Value | Estimate],
) -> Interpolation | None:
    """Interpolate between draws that lie far apart; `None` where latents are too many for it.

    Parameters
    ----------
    integrand
        The marginal density.
    fit
        Knows the precision of the latents.
    share, theta, found
        Weights of draws, the draws, and what is known there.
    """
    finite = np.array([_is_finite(one) for one in found])
    share = share * finite / share[finite].sum()
    origin = share @ theta
    away = theta - origin
    root = np.linalg.cholesky((away.T * share) @ away)
    x = np.linalg.solve(root, away.T).T
    chosen = _apart(x, share, len(fit.own))
    if chosen is None:
        return None
    solve = _projection(cardinal_splines(x, x[chosen]), share)
    means = _projected(solve, share, [one.mean for one in found])
    known = [one.variances for one in found if isinstance(one, Value) and one.variances is not None]
    if len(known) == len(found):
        log_variances = _projected(solve, share, known, np.log)
    else:
        log_variances = np.log([integrand.given(theta[i]).variances for i in chosen])
    if not (np.isfinite(means).all() and np.isfinite(log_variances).all()):
        return None
    values = means, 0.5 * (log_variances - np.log(fit.variances))
    rough = InterpolatedConditional.through(origin, root, theta[chosen], *values)
    return _checked(integrand, fit, rough, share, theta, found)


def _is_finite(found: Value | Estimate) -> bool:
    known = found.variances if isinstance(found, Value) else None
    is_spread = known is None or bool((known > 0).all() and np.isfinite(known).all())
    return is_spread and bool(np.isfinite(found.mean).all())


def _projection(
    splines: Float[np.ndarray, "draws points"], share: Each
) -> Float[np.ndarray, "points draws"]:
    """Return what turns values at draws into those at points which fit them best, by weights."""
    root = np.sqrt(share + _FLOOR / len(share) * (share > 0))
    return np.linalg.pinv(splines * root[:, None]) * root


def _projected(
    solve: Float[np.ndarray, "points draws"],
    share: Each,
    values: Sequence[Latents],
    transform: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> Float[np.ndarray, "points latents"]:
    """Compute values at points from those at all draws that weigh anything."""
    some, result = np.flatnonzero(share), np.zeros((len(solve), len(values[0])))
    step = max(1, _AT_ONCE // len(values[0]))
    for begin in range(0, len(some), step):
        block = some[begin : begin + step]
        result += solve[:, block] @ transform(np.array([values[i] for i in block]))
    return result


def _apart(x: Draws, share: Each, latents: int) -> Int[np.ndarray, " points"] | None:
    """Choose draws one after another, each as far as can be from those before."""
    candidates, dim = np.flatnonzero(share > _NEGLIGIBLE / len(share)), x.shape[1]
    count = min(_EACH * (dim + 1), _MOST_POINTS, _MOST_NUMBERS // latents, len(candidates) // 2)
    if count < 2 * (dim + 1):
        return None
    x = x[candidates]
    chosen = [int(np.argmin((x**2).sum(axis=1)))]
    nearest = np.full(len(x), np.inf)
    while len(chosen) < count:
        nearest = np.minimum(nearest, ((x - x[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(np.argmax(nearest)))
    return candidates[chosen]


def _checked(
    integrand: Integrand,
    fit: MarginalFit,
    rough: InterpolatedConditional,
    share: Each,
    theta: Draws,
    found: Sequence[Value | Estimate],
) -> Interpolation:
    """Compare marginals with those of all draws, and make the mean square of scales theirs."""
    is_known = isinstance(found[0], Value) and found[0].variances is not None
    mean, square, own = _moments_of(_interpolated(rough, theta, fit), share)
    exact_mean, exact_square, exact_own = _moments_of(_found(found, fit), share)
    if not is_known:
        exact_own = own * _ratio(integrand, rough, fit, share, theta)
    exact = exact_square - exact_mean**2 + exact_own
    ratio = (square - mean**2 + own) / exact
    std, nothing = np.sqrt(exact), np.zeros(len(own))
    left = Shifted((mean - exact_mean) / std, nothing, 0.5 * np.log(ratio), nothing, std)
    log_scales = np.array(rough.log_scales)
    log_scales[0] += 0.5 * np.log(exact_own / own)
    typical = np.sqrt(exact_own / fit.variances)
    return Interpolation(replace(rough, log_scales=log_scales, typical=typical), left)


def _ratio(
    integrand: Integrand,
    rough: InterpolatedConditional,
    fit: MarginalFit,
    share: Each,
    theta: Draws,
) -> Latents:
    """Compare variances with those found at a few draws that weigh alike."""
    places = (0.5 + np.arange(_CHECKS)) / _CHECKS
    some = np.minimum(np.searchsorted(np.cumsum(share), places), len(share) - 1)
    _, scales = rough.at(theta[some])
    found = sum(integrand.given(theta[i]).variances for i in some)
    return found / (scales**2 * fit.variances).sum(axis=0)


Block = tuple[Float[np.ndarray, "some latents"], Float[np.ndarray, "some latents"]]


def _interpolated(
    conditional: InterpolatedConditional, theta: Draws, fit: MarginalFit
) -> Iterator[Block]:
    step = max(1, _AT_ONCE // len(fit.own))
    for begin in range(0, len(theta), step):
        means, scales = conditional.at(theta[begin : begin + step])
        yield means - fit.center, scales**2 * fit.variances


def _found(found: Sequence[Value | Estimate], fit: MarginalFit) -> Iterator[Block]:
    for one in found:
        known = one.variances if isinstance(one, Value) else None
        variances = np.zeros_like(one.mean) if known is None else known
        yield (one.mean - fit.center)[None], variances[None]


def _moments_of(blocks: Iterator[Block], share: Each) -> Moments:
    """Average means, their squares and variances by weights, over draws that have any."""
    begin, sums = 0, np.zeros((3, 1))
    for means, variances in blocks:
        weight = share[begin : begin + len(means)]
        begin += len(means)
        some = weight > 0
        weight, means = weight[some], means[some]
        sums = sums + np.array([weight @ means, weight @ means**2, weight @ variances[some]])
    return sums[0], sums[1], sums[2]
