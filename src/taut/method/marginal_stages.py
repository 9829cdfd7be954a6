"""The stages of a fit whose latents are integrated out."""

from collections.abc import Generator

import numpy as np

from taut.diagnose import Finding, Outcome, criteria, failed
from taut.family import InterpolatedConditional
from taut.gradients import OutOfTime
from taut.marginal import AbstractPoints, Integrand, Value
from taut.method.marginal_checks import points_for, shift_by_nodes, shift_by_starts
from taut.method.marginal_climb import Climbed, climb
from taut.method.marginal_draws import Kernels, Pool, Proposal, Student, draw
from taut.method.marginal_fit import MarginalFit, iterate, rough
from taut.method.marginal_interpolation import interpolation, scales_move
from taut.method.marginal_weights import Weighed, are_enough, latents_stay, resampled, weigh
from taut.method.problem import Iterate, Problem

# Draws that are weighed at first, for each global unknown and at least; rounds, of which each takes
# twice as many.
_EACH, _FEWEST, _ROUNDS = 4, 64, 6
# The round, from 0, from which on few effective draws end it, or uneven ones lead to kernels; how
# many are few.
_PATIENT, _HOPELESS = 1, 8.0


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
    journal, gradients = problem.journal, problem.gradients
    points = points_for(integrand, random.spawn(1)[0])
    found, by_nodes = yield from _climb(problem, integrand, points, random)
    fit, draws = found.fit, max(_FEWEST, _EACH * len(found.fit.origin))
    with journal.stage("latents from elsewhere", gradients):
        by_starts = shift_by_starts(problem, integrand, fit, random)
        doubts = failed((*_of_paths(found), *by_starts, *by_nodes))
    wrong: tuple[Finding, ...] = ()
    pool, proposal = Pool(), Student(fit.normal)
    for number in range(_ROUNDS):
        with journal.stage("importance weights of the globals", gradients) as stage:
            new = draw(problem, integrand, points, fit, proposal, draws, random)
            pool = pool.add(new)
            weighed = weigh(problem, integrand, points, fit, pool)
            stage.elbo = weighed.elbo
            weights = weighed.check.weights
            stage.note = (
                f"{weights.ess:.0f} of {pool.size} draws are effective, k-hat {weights.khat:.2f}"
            )
        wrong = failed((*weighed.check.findings(gradients.target.space), *_unsettled(weighed)))
        fit = weighed.better
        latents = _latents(integrand, fit, weighed, pool, is_over=not wrong)
        is_enough = latents is not None or (bool(wrong) and _are_enough(weighed))
        outer = resampled(problem, weighed, random) if is_enough else None
        yield iterate(integrand, fit, -weighed.elbo, outer, latents)
        if is_enough or not wrong:
            doubts = failed((*doubts, *weighed.third.findings))
            return journal.conclude(Outcome.NOT_CONFIRMED if doubts else Outcome.INTEGRATED, doubts)
        if number == _PATIENT and weighed.check.weights.ess < _HOPELESS:
            break
        # Twice as many as there were, with those that are kept.
        draws, pool = (2 * draws, Pool()) if weighed.is_far else (max(draws, pool.size), pool)
        proposal = _next(weighed, pool, number)
    return journal.conclude(Outcome.NOT_CONFIRMED, (*doubts, *wrong))


def _next(weighed: Weighed, pool: Pool, number: int) -> Proposal:
    """Draw around what draws tell, where they are too uneven for a Gaussian, else from that."""
    weights = weighed.check.weights
    is_bent = any(isinstance(one.proposal, Kernels) for one in pool.rounds)
    if number < _PATIENT or weighed.is_far or (weighed.is_even and not is_bent):
        return Student(weighed.better.normal)
    log_p = np.array([one.value for one in pool.found])
    return Kernels.of(pool.theta, weights.weights, log_p)


def _climb(
    problem: Problem,
    integrand: Integrand,
    points: AbstractPoints | None,
    random: np.random.Generator,
) -> Generator[Iterate, None, tuple[Climbed, tuple[Finding, ...]]]:
    """Climb, and again with twice the nodes, until twice as many move nothing or are too many."""
    journal, gradients = problem.journal, problem.gradients
    found = None
    while True:
        with journal.stage("paths with latents integrated out", gradients) as stage:
            try:
                found = climb(problem, integrand, points, random)
            except OutOfTime:
                if found is None:
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
    enough = are_enough(weighed.check.weights, weighed.theta) and weighed.third.is_known
    return enough and latents_stay(weighed.left)


def _latents(
    integrand: Integrand, fit: MarginalFit, weighed: Weighed, pool: Pool, *, is_over: bool
) -> InterpolatedConditional | None:
    """Interpolate latents between draws of the globals, where they are known there and move."""
    share = weighed.check.weights.weights
    is_enough = is_over or are_enough(weighed.check.weights, weighed.theta)
    known = [one for one in pool.found if isinstance(one, Value)]
    is_known = len(known) == pool.size and (
        integrand.knows_spread or known[0].variances is not None
    )
    if not (is_known and is_enough) or (is_over and not scales_move(share, pool.found)):
        return None
    found = interpolation(integrand, fit, share, weighed.theta, pool.found)
    return found.conditional if found is not None and latents_stay(found.left) else None


def _unsettled(weighed: Weighed) -> tuple[Finding, ...]:
    """Say why weights can not judge, if so."""
    weights, bounds = weighed.check.weights, criteria.CRITERIA
    # They are even, or so nearly the same that their tail is noise.
    is_exact = weighed.divergence < bounds.exact_divergence
    is_sure = weighed.check.is_reliable or (is_exact and weighed.check.is_known)
    uneven = (
        f"weights of the globals are too uneven to judge: k-hat {weights.khat:.2f} (bound "
        f"{bounds.khat:.2f}), {weights.ess:.0f} of {len(weighed.theta)} draws effective"
    )
    unknown = "what the next term of the series for the latents moves is not known"
    third = Finding("mean_shift", weighed.third.is_known, unknown)
    return Finding("khat", is_sure, uneven), third


def _of_paths(found: Climbed) -> tuple[Finding, ...]:
    words = f"{found.others} of {found.paths} paths end at another mode of the globals"
    return (Finding("mean_shift", not found.others, words),)
