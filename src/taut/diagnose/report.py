"""All that is known of a fit's quality, for a terminal and a notebook."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from taut.diagnose import criteria
from taut.diagnose.estimate import Estimate
from taut.diagnose.journal import Journal
from taut.diagnose.psis import ImportanceWeights, Khat, khat_by_variable, psis
from taut.diagnose.shift import ChainCheck
from taut.diagnose.verdict import NOT_JUDGED, Outcome, Verdict
from taut.engine import Timing
from taut.plot import pictures_of
from taut.progress import INTERRUPTED
from taut.tables import as_html, as_text
from taut.target import Space

# Variables whose k-hat is shown, and elements of each that are looked at.
_SHOWN, _LOOKED_AT = 5, 300
# Added where a fit is judged by weights of its global unknowns.
_OF_ALL = " of all unknowns at once, latents too, which is large for good fits of many"
# Outcomes whose check compares two rounds of a repair.
_OF_ROUNDS = (Outcome.REPAIRED, Outcome.UNSETTLED, Outcome.HEAVY)


@dataclass(frozen=True)
class HowItEnded:
    """How a fit ended.

    Parameters
    ----------
    steps, skipped
        Steps or iterations, and how many of them were skipped.
    stopped
        Why it ended.
    timing
        Where its seconds went.
    """

    steps: int
    skipped: int
    stopped: str | None
    timing: Timing

    def __str__(self) -> str:
        skipped = f", {self.skipped:,d} of them skipped" if self.skipped else ""
        if not self.steps and self.stopped in (None, INTERRUPTED):
            return f"{self.stopped or 'not fitted'}: nothing was fitted yet"
        steps = f"after {self.steps:,d} steps{skipped}: " if self.steps else ""
        return f"{steps}{self.stopped}"


@dataclass(frozen=True)
class Report:
    """What `taut.Approximation.diagnose` found.

    Parameters
    ----------
    verdict
        Whether to trust the fit, why, and what to try next.
    elbo
        Evidence lower bound in nats with its standard error; `None` where `q` has no density.
    weights
        Smoothed importance weights of draws of `q`, with their k-hat, its standard error and
        their effective draws; `None` likewise. Under 0.7 they can be used. In many dimensions
        k-hat is large for good fits too.
    khats
        k-hat of the mean of each element, with its standard error; of a large variable those 300
        whose means the weights move most.
    check
        What short chains shifted.
    names
        Of the elements of the unconstrained vector.
    journal
        What an automatic fit did.
    ending
        How the fit ended, and what it took.
    """

    verdict: Verdict
    elbo: Estimate | None
    weights: ImportanceWeights | None
    khats: Mapping[str, Khat]
    check: ChainCheck | None
    names: tuple[str, ...]
    journal: Journal
    ending: HowItEnded

    @property
    def trusted(self) -> bool:
        """Whether means and standard deviations can be relied on."""
        return self.verdict.trusted

    @property
    def is_judged(self) -> bool:
        """Whether weights, chains or the stages of the fit have judged it."""
        return self.journal.outcome not in NOT_JUDGED

    @property
    def shift_bound(self) -> float:
        """How far a shift of `check` may be from 0, noise aside."""
        bounds = criteria.CRITERIA
        of_rounds = self.journal.outcome in _OF_ROUNDS
        return bounds.settled_shift if of_rounds else bounds.mean_shift

    def __str__(self) -> str:
        return as_text(str(self.verdict), self._rows())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return as_html(str(self.verdict), self._rows()) + pictures_of(self)

    def _rows(self) -> list[tuple[str, ...]]:
        rows = [
            ("next", self.verdict.advice),
            ("ELBO", "" if self.elbo is None else str(self.elbo)),
            ("k-hat", self._khat_in_words()),
            ("k-hat of means", self._khats_in_words()),
            ("effective draws", self._effective_in_words()),
            ("short chains", self._check_in_words()),
            ("jumps", ", ".join(self.journal.jumps)),
            ("starts", self._starts_in_words()),
            ("ended", str(self.ending)),
            *(("", line) for line in self._stages()),
            ("time", str(self.ending.timing)),
        ]
        width = max(len(name) for name, _ in rows)
        return [(name.ljust(width), text) for name, text in rows if text]

    def _khat_in_words(self) -> str:
        if self.weights is None:
            return ""
        khat = str(Khat(self.weights.khat, self.weights.khat_se))
        of_globals = self.journal.outcome is Outcome.INTEGRATED
        return khat + (_OF_ALL if of_globals else "")

    def _khats_in_words(self) -> str:
        """Name the worst element of each variable, and begin with the worst of all."""
        worst: dict[str, str] = {}
        for name in sorted(self.khats, key=self.khats.__getitem__, reverse=True):
            worst.setdefault(name.partition("[")[0], name)
        shown = [f"{name} {self.khats[name]}" for name in worst.values()]
        more = f"; {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
        return ", ".join(shown[:_SHOWN]) + more

    def _effective_in_words(self) -> str:
        if self.weights is None:
            return ""
        return f"{self.weights.ess:,.0f} of {len(self.weights.log_weights):,d} after weighting"

    def _check_in_words(self) -> str:
        if self.check is None:
            return ""
        mean, log_sd = self.check.largest
        of_mean = self.names[int(np.abs(self.check.mean_shift).argmax())]
        of_sd = self.names[int(np.abs(self.check.log_sd_shift).argmax())]
        window = self.check.window
        return (
            f"move a mean by at most {mean:.2f} sd ({of_mean}), a log sd by {log_sd:.2f} "
            f"({of_sd}); each chain is worth {window.draws_each.min():.1f} draws, all "
            f"{window.effective.min():,.0f}, {window.divergent:.1%} divergent"
        )

    def _starts_in_words(self) -> str:
        agree, of = self.journal.starts
        if not of:
            return ""
        modes = f", {self.journal.modes} modes" if self.journal.modes > 1 else ""
        return f"{agree} of {of} came to the result{modes}"

    def _stages(self) -> list[str]:
        return [str(stage) for stage in self.journal.stages]


def report_on(
    journal: Journal,
    z: Float[np.ndarray, "draws dim"],
    log_ratios: Float[np.ndarray, " draws"] | None,
    space: Space,
    ending: HowItEnded,
) -> Report:
    """Put together what is known of a fit.

    Parameters
    ----------
    journal
        With the outcome.
    z, log_ratios
        Draws of `q`, and ``log p(y, z) - log q(z)`` there, `None` where q has no density.
    space
        Names the elements.
    ending
        How the fit ended.
    """
    names = tuple(space.element_name(i) for i in range(space.dim))
    weights, khats, elbo = None, {}, None
    if log_ratios is not None and not _is_hopeless(log_ratios):
        weights, khats = psis(log_ratios), khat_by_variable(log_ratios, z, space, most=_LOOKED_AT)
        se = float(log_ratios.std(ddof=1) / np.sqrt(len(log_ratios)))
        elbo = Estimate(float(log_ratios.mean()), se)
    return Report(journal.verdict, elbo, weights, khats, journal.check, names, journal, ending)


def _is_hopeless(log_ratios: Float[np.ndarray, " draws"]) -> bool:
    return bool(
        (np.isnan(log_ratios) | (log_ratios == np.inf)).any() or np.isneginf(log_ratios).all()
    )
