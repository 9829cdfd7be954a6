"""An approximation is judged, and repaired, by its draws."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from taut.approximation.drawing import sampled
from taut.diagnose import (
    NOT_JUDGED,
    Ending,
    Journal,
    Judge,
    Moments,
    Outcome,
    Report,
    report_on,
    weigh,
)
from taut.engine import Timing
from taut.family import Particles, has_exact_moments
from taut.gaussian import Normal, as_normal
from taut.gradients import gradients_of
from taut.progress import NOT_FINITE

if TYPE_CHECKING:
    from taut.approximation.approximation import Approximation

# Draws that chains begin at, and are compared with where moments are not known.
_CHECKED = 4000


def diagnosed(approx: "Approximation", draws: int, words: np.ndarray, *, chains: bool) -> Report:
    """Find out whether an approximation can be trusted; see `taut.Approximation.diagnose`.

    Parameters
    ----------
    approx
        The approximation.
    draws
        How many are weighed.
    words
        Seed of draws and chains.
    chains
        Whether chains may run.
    """
    z, log_q = sampled(approx.target, approx.family, max(draws, _CHECKED), words)
    weighed, log_q = z[:draws], log_q[:draws]
    log_ratios = None if np.isnan(log_q).all() else approx.log_densities(weighed) - log_q
    journal = replace(approx.journal.copy(), jumps=approx.source.discontinuities())
    if journal.outcome in NOT_JUDGED:
        _conclude(approx, journal, weighed, log_ratios)
        if journal.outcome in NOT_JUDGED and chains:
            _judge(approx, words, journal).outcome(z, *_known(approx))
    steps = 0 if approx.journal.stages else len(approx.hist)
    ending = Ending(steps, approx.skipped, approx.stopped, approx.timing)
    return report_on(journal, weighed, log_ratios, approx.target.space, ending)


def repaired(
    approx: "Approximation", rounds: int, words: np.ndarray, journal: Journal, timing: Timing
) -> Particles:
    """Go on with chains from draws of an approximation; see `taut.Approximation.repair`.

    Parameters
    ----------
    approx
        The approximation.
    rounds
        Of chains.
    words
        Seed of draws and chains.
    journal, timing
        Of the result, which are written in.
    """
    journal.jumps = approx.source.discontinuities()
    z, _ = sampled(approx.target, approx.family, _CHECKED, words)
    return _judge(approx, words, journal, timing).repaired(z, rounds, *_known(approx))


def _judge(
    approx: "Approximation", words: np.ndarray, journal: Journal, timing: Timing | None = None
) -> Judge:
    gradients = gradients_of(approx.target, approx.stepping, timing)
    return Judge(gradients, np.random.default_rng(words), journal)


def _conclude(
    approx: "Approximation", journal: Journal, z: np.ndarray, log_ratios: np.ndarray | None
) -> None:
    """Judge a fit by how it ended, and by its weights, where these can."""
    journal.conclude(journal.outcome or Outcome.NOT_CHECKED)
    if approx.stopped == NOT_FINITE:
        journal.conclude(Outcome.NOT_FINITE)
    elif log_ratios is not None:
        found = weigh(z, log_ratios, _known(approx)[0] or Moments.of(z))
        if found is not None and found.passes(approx.target.space):
            journal.conclude(Outcome.WEIGHED)


def _known(approx: "Approximation") -> tuple[Moments | None, Normal | None]:
    """Give the moments of q where they are known, and q itself if it is a Gaussian."""
    if not has_exact_moments(approx.family):
        return None, None
    normal = as_normal(approx.family)
    if normal is not None:
        return Moments.known(normal.mean, normal.std), normal
    with approx.target.precision():
        mean, std = (
            np.asarray(part, float) for part in (approx.family.mean(), approx.family.std())
        )
    return Moments.known(mean, std), None
