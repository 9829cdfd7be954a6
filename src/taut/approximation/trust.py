"""An approximation is judged by its draws."""

from dataclasses import replace
from typing import Any, final

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
from taut.engine import Timing, never_lost, take_lost
from taut.errors import warn
from taut.family import has_exact_moments
from taut.gaussian import Normal, as_normal
from taut.gradients import gradients_of
from taut.progress import NOT_FINITE

# Draws that chains begin at, and are compared with where moments are not known.
CHECKED = 4000
# Draws that are weighed where each reads no more rows than so many, and where it reads more.
_MANY_ROWS, _WEIGHED, _FEW_WEIGHED = 50_000, 2000, 500
# Values that draws may hold where their number is not asked for, and how many there are at least.
_VALUES, _FEWEST = 20_000_000, 64
_INTERRUPTED = (
    "The diagnosis was ended by Ctrl-C: the report says what is known without it. "
    "approx.diagnose() begins anew."
)


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

    Warns
    -----
    UserWarning
        It was ended by Ctrl-C, and the report says what is known without it.

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
    look = _Look(approx, approx.words(random_seed))
    with never_lost():
        try:
            with never_lost():
                look.weigh(draws, as_usual=as_usual)
                look.judge(chains=chains)
        except KeyboardInterrupt:
            take_lost()
            warn(_INTERRUPTED)
            return look.report()
    report = look.report()
    approx.kept_report.keep(state, record, report, as_usual=as_usual)
    return report


@final
class _Look:
    """What a diagnosis has found by now.

    Parameters
    ----------
    approx
        What is judged.
    words
        Of the seed.
    """

    def __init__(self, approx: Fitted, words: np.ndarray) -> None:
        self._state, self._record, self._source = approx.state, approx.record, approx.source
        self._words, self._journal = words, self._record.journal.copy()
        self._z = self._weighed = np.empty((0, self._state.target.dim))
        self._log_ratios: np.ndarray | None = None

    def weigh(self, draws: int, *, as_usual: bool) -> None:
        """Draw, and weigh so many draws, or fewer where these would fill memory."""
        state = self._state
        most = max(_FEWEST, _VALUES // state.target.dim)
        draws = min(draws, most) if as_usual else draws
        count = max(draws, min(CHECKED, most))
        self._z, log_q = sampled(state.target, state.family, count, self._words)
        weighed, log_q = self._z[:draws], log_q[:draws]
        known = self._source.has_density and not np.isnan(log_q).all()
        log_ratios = log_densities(state, weighed) - log_q if known else None
        self._weighed, self._log_ratios = weighed, log_ratios

    def judge(self, *, chains: bool) -> None:
        """Judge a fit that nobody has judged, by its weights and by chains."""
        journal = replace(self._journal.copy(), jumps=self._source.discontinuities())
        if journal.outcome in NOT_JUDGED:
            _conclude(self._state, self._record, journal, self._weighed, self._log_ratios)
            if journal.outcome in NOT_JUDGED and chains and self._source.has_density:
                judge = judge_of(self._state, self._words, journal)
                judge.outcome(self._z, *known_of(self._state))
        # Whole, or as it was before: Ctrl-C may come at any moment.
        self._journal = journal

    def report(self) -> Report:
        """Return what was found."""
        return report_on(
            self._journal, self._weighed, self._log_ratios, self._state.target.space,
            ending(self._record),
        )  # fmt: skip


def judge_of(
    state: State, words: np.ndarray, journal: Journal, timing: Timing | None = None
) -> Judge:
    """Return chains that judge a state, and write in a journal."""
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
        found = weigh(z, log_ratios, known_of(state)[0] or Moments.of(z))
        if found is not None and found.passes(state.target.space):
            journal.conclude(Outcome.WEIGHED)


def known_of(state: State) -> tuple[Moments | None, Normal | None]:
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
