"""The stages of a fit whose latents are integrated out."""

from collections.abc import Generator

import numpy as np

from taut.diagnose import Finding, Outcome, criteria, failed
from taut.family import InterpolatedConditional
from taut.gradients import OutOfTime
from taut.marginal import AbstractPoints, Integrand, Value
from taut.method.marginal_checks import (
    by_nodes_at_draws,
    points_for,
    shift_by_nodes,
    shift_by_starts,
)
from taut.method.marginal_climb import Climbed, climb
from taut.method.marginal_draws import Pool, draw
from taut.method.marginal_fit import MarginalFit, iterate, rough
from taut.method.marginal_interpolation import interpolation, scales_move
from taut.method.marginal_proposals import Defensive, Proposal, Student
from taut.method.marginal_weights import (
    Weighed,
    alike,
    are_enough,
    latents_stay,
    resampled,
    weigh,
)
from taut.method.problem import Iterate, Problem

# Draws that are weighed at first, for each global unknown and at least; rounds, of which each takes
# twice as many, and one more where enough draws are effective by then.
_EACH, _FEWEST, _ROUNDS = 4, 64, 6
# Draws at which nodes are doubled.
_AT_NODES = 32
# The round, from 0, from which on few effective draws end it, or uneven ones lead to kernels; how
# many are few.
_PATIENT, _HOPELESS = 1, 8.0
# Effective draws that are nearer to what no Gaussian follows than one by their moments.
_NEARER = 50.0


def marginal_stages(
    problem: Problem, integrand: Integrand, random: np.random.Generator
) -> Generator[Iterate, None, Outcome]:
    """Fit the global unknowns with the latents integrated out, and let weights judge the result.

    Parameters
    ----------
    problem
        What is fitted.
    integrand
        The marginal density.
    random
        Decides starts and draws.

    Raises
    ------
    NotFiniteError
        The marginal density is not finite where it is looked at.
    """
    points = points_for(integrand, random.spawn(1)[0])
    is_first = True
    while True:
        found, by_nodes = yield from _climb(problem, integrand, points, random, is_first=is_first)
        is_first = False
        judged = yield from _judged(problem, integrand, points, found, by_nodes, random)
        if judged is not None:
            return judged


def _judged(
    problem: Problem,
    integrand: Integrand,
    points: AbstractPoints | None,
    found: Climbed,
    by_nodes: tuple[Finding, ...],
    random: np.random.Generator,
) -> Generator[Iterate, None, Outcome | None]:
    """Let weights judge and improve what was found; `None` where there are more nodes now."""
    journal, gradients = problem.journal, problem.gradients
    fit, draws = found.fit, max(_FEWEST, _EACH * len(found.fit.origin))
    with journal.stage("latents from elsewhere", gradients):
        by_starts = shift_by_starts(problem, integrand, fit, random)
        doubts = failed((*_of_paths(found), *by_starts, *by_nodes))
    wrong: tuple[Finding, ...] = ()
    pool, proposal = Pool(), Student(fit.normal)
    for number in range(_ROUNDS + 1):
        with journal.stage("importance weights of the globals", gradients) as stage:
            for part in draw(problem, integrand, points, fit, proposal, draws, random):
                pool = pool.add(part)
            weighed = weigh(problem, integrand, points, fit, pool)
            stage.elbo = weighed.elbo
            weights = weighed.check.weights
            stage.note = (
                f"{weights.ess:.0f} of {pool.size} draws are effective, k-hat {weights.khat:.2f}"
            )
        wrong = failed((*weighed.check.findings(gradients.target.space), *_unsettled(weighed)))
        fit = weighed.better
        latents = _latents(integrand, fit, weighed, is_over=not wrong)
        is_enough = latents is not None or (bool(wrong) and _are_enough(weighed))
        is_nearer = not _follows(weighed) and weights.ess > _NEARER
        outer = resampled(problem, weighed, random) if is_enough or is_nearer else None
        yield iterate(integrand, fit, -weighed.elbo, outer, latents)
        if is_enough or not wrong:
            has_more, by_draws = _by_nodes(problem, integrand, weighed)
            if has_more:
                return None
            doubts = failed((*doubts, *by_draws, *weighed.third.findings))
            return journal.conclude(Outcome.NOT_CONFIRMED if doubts else Outcome.INTEGRATED, doubts)
        if _is_hopeless(weighed, number):
            break
        # Twice as many as there were, with those that are kept.
        draws, pool = (2 * draws, Pool()) if weighed.is_far else (max(draws, pool.size), pool)
        proposal = _next(weighed, number)
    return journal.conclude(Outcome.NOT_CONFIRMED, (*doubts, *wrong))


def _by_nodes(
    problem: Problem, integrand: Integrand, weighed: Weighed
) -> tuple[bool, tuple[Finding, ...]]:
    """Compare with twice the nodes where the globals are, if that is far from a Gaussian."""
    if not (integrand.has_nodes and weighed.whole.pool.is_bent):
        return False, ()
    with problem.journal.stage("twice the nodes at draws", problem.gradients):
        return by_nodes_at_draws(problem, integrand, alike(weighed.whole, _AT_NODES))


def _is_hopeless(weighed: Weighed, number: int) -> bool:
    """Whether so few draws are effective that more of them are of no use."""
    effective = weighed.check.weights.ess
    if number == _PATIENT:
        return effective < _HOPELESS
    return number == _ROUNDS - 1 and effective < criteria.CRITERIA.effective


def _next(weighed: Weighed, number: int) -> Proposal:
    """Draw around what draws tell, where they are too uneven for a Gaussian, else from that."""
    if number < _PATIENT or weighed.is_far or _follows(weighed):
        return Student(weighed.better.normal)
    return Defensive.of(weighed.whole.theta, weighed.whole.share, weighed.whole.log_p)


def _follows(weighed: Weighed) -> bool:
    """Whether a Gaussian follows the globals, as far as their weights tell."""
    return weighed.whole.weights.is_even and not weighed.whole.pool.is_bent


def _climb(
    problem: Problem,
    integrand: Integrand,
    points: AbstractPoints | None,
    random: np.random.Generator,
    *,
    is_first: bool,
) -> Generator[Iterate, None, tuple[Climbed, tuple[Finding, ...]]]:
    """Climb, and again with twice the nodes, until twice as many move nothing or are too many."""
    journal, gradients = problem.journal, problem.gradients
    found = None
    while True:
        with journal.stage("paths with latents integrated out", gradients) as stage:
            try:
                found = climb(problem, integrand, points, random)
            except OutOfTime:
                # What was fitted with fewer nodes is better than that.
                if found is None and is_first:
                    yield rough(problem, integrand)
                raise
            stage.note = integrand.words
        journal.starts = found.agree, found.paths
        yield iterate(integrand, found.fit, -found.value)
        with journal.stage("twice the nodes", gradients):
            by_nodes = failed(shift_by_nodes(problem, integrand, points, found.fit))
        if not by_nodes or not (integrand if points is None else points).refine():
            return found, by_nodes


def _are_enough(weighed: Weighed) -> bool:
    enough = are_enough(weighed.check.weights, weighed.whole.theta) and weighed.third.is_known
    return enough and latents_stay(weighed.left)


def _latents(
    integrand: Integrand, fit: MarginalFit, weighed: Weighed, *, is_over: bool
) -> InterpolatedConditional | None:
    """Interpolate latents between draws of the globals, where they are known there and move."""
    is_enough = is_over or are_enough(weighed.check.weights, weighed.whole.theta)
    share, theta, found = weighed.known.share, weighed.known.theta, weighed.known.pool.found
    values = [one for one in found if isinstance(one, Value)]
    is_known = len(values) == len(found) and (
        integrand.knows_spread or values[0].variances is not None
    )
    if not (is_known and is_enough) or (is_over and not scales_move(share, found)):
        return None
    splines = interpolation(integrand, fit, share, theta, found)
    return splines.conditional if splines is not None and latents_stay(splines.left) else None


def _unsettled(weighed: Weighed) -> tuple[Finding, ...]:
    """Say why weights can not judge, if so."""
    weights, bounds = weighed.check.weights, criteria.CRITERIA
    # They are even, or so nearly the same that their tail is noise.
    is_exact = weighed.whole.weights.divergence < bounds.exact_divergence
    is_sure = weighed.check.is_reliable or (is_exact and weighed.check.is_known)
    uneven = (
        f"weights of the globals are too uneven to judge: k-hat {weights.khat:.2f} (bound "
        f"{bounds.khat:.2f}), {weights.ess:.0f} of {weighed.whole.pool.size} draws effective"
    )
    unknown = "what the next term of the series for the latents moves is not known"
    third = Finding("mean_shift", weighed.third.is_known, unknown)
    # Moments of one may be right, and its tail not: weighted draws are the result then.
    bent = (
        f"no Gaussian follows the globals, and {weights.ess:.0f} effective draws (bound "
        f"{bounds.effective:.0f}) are too few"
    )
    is_straight = Finding("effective", not weighed.whole.pool.is_bent, bent)
    return Finding("khat", is_sure, uneven), third, is_straight


def _of_paths(found: Climbed) -> tuple[Finding, ...]:
    words = f"{found.others} of {found.paths} paths end at another mode of the globals"
    return (Finding("mean_shift", not found.others, words),)
