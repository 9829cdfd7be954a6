"""An approximation is judged, and repaired, by its draws."""

from dataclasses import replace
from typing import Any

import numpy as np

from taut.approximation.drawing import sampled
from taut.approximation.evaluation import log_densities
from taut.approximation.fitted import Fitted
from taut.approximation.record import Record
from taut.approximation.state import State
from taut.approximation.summary import ending
from taut.arguments import as_flag, as_positive
from taut.diagnose import (
    NOT_JUDGED,
    Journal,
    Judge,
    Moments,
    Outcome,
    Report,
    report_on,
    weigh,
)
from taut.engine import Timing, accounted
from taut.family import has_exact_moments
from taut.gaussian import Normal, as_normal
from taut.gradients import gradients_of
from taut.progress import NOT_FINITE

# Draws that chains begin at, and are compared with where moments are not known.
_CHECKED = 4000
# Draws that are weighed where each reads no more rows than so many, and where it reads more.
_MANY_ROWS, _WEIGHED, _FEW_WEIGHED = 50_000, 2000, 500
# Values that draws may hold where their number is not asked for, and how many there are at least.
_VALUES, _FEWEST = 20_000_000, 64


def diagnose(
    approx: Fitted, draws: int | None = None, *, chains: bool = True, random_seed: Any = None
) -> Report:
    r"""Find out whether the fit can be trusted.

    Fresh draws are weighed against the density. Where the weights are even they are the judge;
    else short Hamiltonian chains start at the draws: what moves was wrong by at least as much.
    An automatic fit has been judged already. What decides is in `taut.diagnose.Criteria`.
    The report is kept: another call without a number of draws and a seed returns it at once.

    Parameters
    ----------
    draws
        How many are weighed; by default 2 000, or 500 where each reads over 50 000 rows.
    chains
        Whether chains may run, about 30 000 gradients; without them nothing is trusted that
        has not been checked before, or has even weights.
    random_seed
        As in `sample`.

    Returns
    -------
    Report
        With `verdict`, `trusted`, and all that they rest on; prints as a table.

    Raises
    ------
    ArgumentError
        `draws` is not a positive integer.

    References
    ----------
    Wang, Kasprzak, Huggins (2023), A targeted accuracy diagnostic for variational
    approximations. Yao, Vehtari, Simpson, Gelman (2018), Yes, but did it work?

    Examples
    --------
    >>> import numpy as np, pymc as pm, taut
    >>> with pm.Model():
    ...     mu = pm.Normal("mu", 0.0, 10.0)
    ...     y = pm.Normal("y", mu, 1.0, observed=np.array([1.5, 2.5, 2.0]))
    ...     approx = taut.fit(random_seed=1, progressbar=False)
    >>> approx.diagnose(random_seed=1).trusted
    True
    """
    state, record = approx.state, approx.record
    as_usual = draws is None
    if as_usual and random_seed is None:
        kept = approx.kept_report.of(state, record)
        if kept is not None and (kept.is_judged or not as_flag("chains", chains)):
            return kept
    if draws is None:
        draws = _WEIGHED if state.rows <= _MANY_ROWS else _FEW_WEIGHED
    draws, chains = as_positive("draws", draws), as_flag("chains", chains)
    words = approx.words(random_seed)
    most = max(_FEWEST, _VALUES // state.target.dim)
    draws = min(draws, most) if as_usual else draws
    z, log_q = sampled(state.target, state.family, max(draws, min(_CHECKED, most)), words)
    weighed, log_q = z[:draws], log_q[:draws]
    known = approx.source.has_density and not np.isnan(log_q).all()
    log_ratios = log_densities(state, weighed) - log_q if known else None
    journal = replace(record.journal.copy(), jumps=approx.source.discontinuities())
    if journal.outcome in NOT_JUDGED:
        _conclude(state, record, journal, weighed, log_ratios)
        if journal.outcome in NOT_JUDGED and chains and approx.source.has_density:
            _judge(state, words, journal).outcome(z, *_known(state))
    report = report_on(journal, weighed, log_ratios, state.target.space, ending(record))
    approx.kept_report.keep(state, record, report, as_usual=as_usual)
    return report


def repair[AnyFitted: Fitted](
    approx: AnyFitted, rounds: int = 8, *, random_seed: Any = None
) -> AnyFitted:
    """Go on with short chains from draws of the fit until nothing shifts.

    Parameters
    ----------
    rounds
        Of 64 chains and 60 transitions, later ones of more, each of which learns the
        coordinates of the next. A round takes about 10 000 to 100 000 gradients.
    random_seed
        Decides the chains.

    Returns
    -------
    Approximation
        A new one, whose draws are those of the chains; its `diagnose` says whether they have
        settled.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model():
    ...     x = pm.Normal("x", 0.0, 1.0, shape=2)
    ...     y = pm.Normal("y", x[0] * x[1], 0.5, observed=1.0)
    ...     approx = taut.fit(2000, method="advi", random_seed=1, progressbar=False)
    >>> repaired = approx.repair(random_seed=1)
    >>> type(repaired.family).__name__
    'Particles'
    """
    rounds, words = as_positive("rounds", rounds), approx.words(random_seed)
    state, timing = approx.state, Timing()
    journal = Journal(jumps=approx.source.discontinuities())
    with accounted(timing):
        z, _ = sampled(state.target, state.family, _CHECKED, words)
        judge = _judge(state, words, journal, timing)
        particles = judge.repaired(z, rounds, *_known(state))
    return approx.alike(particles, replace(
        Record(f"{approx.record.method}, repaired", stopped=str(journal.verdict), timing=timing),
        journal=journal, include_transformed=approx.record.include_transformed,
    ))  # fmt: skip


def _judge(
    state: State, words: np.ndarray, journal: Journal, timing: Timing | None = None
) -> Judge:
    gradients = gradients_of(state.target, state.stepping, timing)
    return Judge(gradients, np.random.default_rng(words), journal)


def _conclude(
    state: State, record: Record, journal: Journal, z: np.ndarray, log_ratios: np.ndarray | None
) -> None:
    """Judge a fit by how it ended, and by its weights, where these can."""
    journal.conclude(journal.outcome or Outcome.NOT_CHECKED)
    if record.stopped == NOT_FINITE:
        journal.conclude(Outcome.NOT_FINITE)
    elif log_ratios is not None:
        found = weigh(z, log_ratios, _known(state)[0] or Moments.of(z))
        if found is not None and found.passes(state.target.space):
            journal.conclude(Outcome.WEIGHED)


def _known(state: State) -> tuple[Moments | None, Normal | None]:
    """Return the moments of q where they are known, and q itself if it is a Gaussian."""
    if not has_exact_moments(state.family):
        return None, None
    # What is not drawn by NumPy has its chains begin in the Gaussian of its draws.
    normal = as_normal(state.family) if state.family.drawn_on_host else None
    if normal is not None:
        return Moments.known(normal.mean, normal.std), normal
    with state.target.precision():
        mean, std = (np.asarray(part, float) for part in (state.family.mean(), state.family.std()))
    return Moments.known(mean, std), None
