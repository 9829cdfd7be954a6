"""What the climb has found is judged by weights and chains, and chains go on where it is wrong."""

from collections.abc import Generator

import numpy as np
from jaxtyping import Float

from taut.chains import Window
from taut.diagnose import (
    CHECK,
    JUMPING,
    Moments,
    Outcome,
    affordable,
    criteria,
    extended,
    growth,
    is_enough,
    normal_of,
    particles,
    weigh,
)
from taut.gaussian import Normal, Weights
from taut.gradients import BLOCK
from taut.method.problem import Iterate, Problem

Draws = Float[np.ndarray, "draws dim"]

# Draws that are checked, and those by which an untrusted result is compared with what came before.
_CHECKED, _COMPARED = 4000, 256
# The divergence in nats of few weights up to which many are worth their gradients.
_PROMISING = 0.4
# Share of a Gaussian's draws.
_NEARLY_ALL = 0.95
# How far from the best Gaussian the medians of chains that have not settled may be, in its standard
# deviations, unless a Gaussian there is as good.
_FAR = 10.0


def verified(
    problem: Problem, normal: Normal, weights: Weights, visited: Draws
) -> Generator[Iterate, None, Outcome]:
    """Let importance weights judge a Gaussian, then chains, which go on where they move it.

    Parameters
    ----------
    problem
        What is fitted.
    normal
        The best Gaussian.
    weights
        Of some of its draws.
    visited
        Points with a finite density, where chains begin if no draw has one.
    """
    dtype = problem.gradients.target.dtype
    if weights.divergence < _PROMISING and problem.has_time_for(_CHECKED):
        better = _weighed(problem, normal)
        if better is not None:
            yield Iterate(better.family(dtype), -weights.elbo)
            return problem.journal.conclude(Outcome.WEIGHED)
    has_density = bool(np.isfinite(weights.values).any())
    draws = normal.draw(problem.random, _CHECKED)[0]
    if not has_density:
        draws[: len(visited)] = problem.random.permutation(visited)[: len(draws)]
    moments = Moments.known(normal.mean, normal.std)
    outcome = yield from checked(problem, normal, draws, weights.elbo, moments)
    if outcome is Outcome.CHECKED:
        assert problem.journal.check is not None
        # What the chains moved is little, but they know it well. The loss stays that of the
        # Gaussian before, which is next to the same.
        better = problem.journal.check.improve(normal)
        yield Iterate(better.family(dtype), -weights.elbo)
    elif not has_density and outcome is not Outcome.REPAIRED:
        return problem.journal.conclude(Outcome.NO_DENSITY, problem.journal.failed)
    return outcome


def _weighed(problem: Problem, normal: Normal) -> Normal | None:
    """Improve a Gaussian by the weights of its draws; `None` where these can not judge it."""
    with problem.journal.stage("importance weights", problem.gradients) as stage:
        z, log_q = normal.draw(problem.random, _CHECKED)
        raw = Weights(problem.gradients(z)[0] - log_q)
        stage.note = f"{raw.effective_share:.0%} of the draws are effective"
        # Smoothing loads a library of its own, and makes few of too few.
        if raw.effective_share < criteria.CRITERIA.effective_share:
            return None
        found = weigh(z, raw.values, Moments.known(normal.mean, normal.std))
        if found is None:
            return None
        stage.note += f", k-hat {found.weights.khat:.2f}"
    return found.improve(normal) if found.passes(problem.gradients.target.space) else None


def checked(
    problem: Problem, normal: Normal, z: Draws, elbo: float, moments: Moments | None = None
) -> Generator[Iterate, None, Outcome]:
    """Let short chains judge draws, in the coordinates of a Gaussian, and repair them.

    Parameters
    ----------
    problem, normal
        As in `verified`.
    z
        The draws.
    elbo
        Of what they are draws of.
    moments
        Of that, where they are known.
    """
    gradients, random, journal = problem.gradients, problem.random, problem.journal
    if not problem.has_time_for(CHECK):
        return journal.conclude(Outcome.UNCHECKED)
    chains = journal.judge(gradients, normal, z, random, moments)
    assert journal.check is not None
    if journal.outcome is Outcome.CHECKED:
        return Outcome.CHECKED
    dtype, before = gradients.target.dtype, journal.check.window
    longest, count = BLOCK * problem.longest, gradients.count
    most = affordable(gradients)
    if journal.jumps:
        # Gradients do not vouch there for rounds that agree, and of many two agree by chance.
        longest, most = min(longest, JUMPING), min(most, JUMPING)
    if _is_sound(problem, normal, before, elbo):
        yield Iterate(particles(before, random, dtype, settled=False), -elbo)
    for window in journal.repair(gradients, chains):
        assert journal.outcome is not None
        trusted = journal.outcome.verdict.trusted
        settled = trusted or journal.outcome is Outcome.HEAVY
        if settled or _is_sound(problem, normal, window, elbo):
            yield Iterate(particles(window, random, dtype, settled=trusted), -elbo)
        else:
            yield Iterate(normal.family(dtype), -elbo)
        if is_enough(journal.outcome, window, gradients.operations):
            break
        coming = gradients.count + growth(before, window) * journal.stages[-1].gradients
        if problem.is_late or coming > min(longest, count + extended(most, before, window)):
            break
        before = window
    assert journal.outcome is not None
    return journal.outcome


def _is_sound(problem: Problem, normal: Normal, window: Window, elbo: float) -> bool:
    """Whether chains that have not settled are no worse than the Gaussian they came from.

    Their medians are near it, or they are where the density is higher than at nearly all draws of
    that Gaussian, or a Gaussian at their draws has as good an ELBO. Tails may be wider than any
    Gaussian's.
    """
    draws = window.pooled
    if not np.isfinite(draws).all():
        return False
    away = np.abs(np.median(draws, axis=0) - normal.mean) / normal.std
    if away.max() < _FAR:
        return True
    there = normal_of(draws)
    with np.errstate(all="ignore"):
        z, log_q = there.draw(problem.random, _COMPARED)
        if Weights(problem.gradients(z)[0] - log_q).elbo > elbo:
            return True
        here = problem.gradients(problem.random.permutation(draws)[:_COMPARED])[0]
        before = problem.gradients(normal.draw(problem.random, _COMPARED)[0])[0]
    return bool(np.median(here) > np.quantile(before[np.isfinite(before)], _NEARLY_ALL))


def is_mixed(weights: Weights) -> bool:
    """Whether a mixture with such weights has the shape of the posterior, masses included."""
    return weights.divergence < criteria.CRITERIA.mixed_divergence
