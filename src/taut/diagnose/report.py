"""All that is known of a fit's quality, for a terminal and a notebook."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from taut.compilation import Timing
from taut.diagnose.check import ChainCheck
from taut.diagnose.journal import Journal
from taut.diagnose.psis import Khat
from taut.diagnose.verdict import Verdict
from taut.evaluation import Estimate
from taut.printing import as_html, as_text


@dataclass(frozen=True)
class Report:
    """What `taut.Approximation.diagnose` found.

    Parameters
    ----------
    verdict
        Whether to trust the fit, why, and what to try next.
    elbo
        Evidence lower bound in nats with its standard error; `None` where `q` has no density.
    khat
        Pareto k-hat of the importance weights, with its uncertainty; `None` likewise. Under 0.7
        the weights can be used. In many dimensions it is large for good fits too.
    khats
        Of each variable: of its worst element.
    effective
        Draws that as many draws of `q` are worth after weighting.
    check
        What short chains shifted.
    names
        Of the elements of the unconstrained vector.
    journal
        What an automatic fit did.
    steps, skipped
        Of a fit by steps.
    stopped
        Why the fit ended.
    timing
        Where its seconds went.
    """

    verdict: Verdict
    elbo: Estimate | None
    khat: Khat | None
    khats: Mapping[str, Khat]
    effective: float | None
    check: ChainCheck | None
    names: tuple[str, ...]
    journal: Journal
    steps: int
    skipped: int
    stopped: str | None
    timing: Timing

    @property
    def trusted(self) -> bool:
        """Whether means and standard deviations can be relied on."""
        return self.verdict.trusted

    def __str__(self) -> str:
        return as_text(str(self.verdict), self._rows())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return as_html(str(self.verdict), self._rows())

    def _rows(self) -> list[tuple[str, ...]]:
        rows = [
            ("next", self.verdict.advice),
            ("ELBO", "" if self.elbo is None else str(self.elbo)),
            ("k-hat", self._khat_in_words()),
            ("effective draws", "" if self.effective is None else f"{self.effective:,.0f}"),
            ("short chains", self._check_in_words()),
            ("starts", self._starts_in_words()),
            ("ended", self._end_in_words()),
            *(("", line) for line in self._stages()),
            ("time", str(self.timing)),
        ]
        width = max(len(name) for name, _ in rows)
        return [(name.ljust(width), text) for name, text in rows if text]

    def _khat_in_words(self) -> str:
        if self.khat is None:
            return ""
        if not self.khats:
            return str(self.khat)
        worst = max(self.khats, key=lambda name: self.khats[name].value)
        return f"{self.khat}; largest of a variable: {worst} {self.khats[worst]}"

    def _check_in_words(self) -> str:
        if self.check is None:
            return ""
        mean, log_sd = self.check.largest
        of_mean = self.names[int(np.abs(self.check.mean_shift).argmax())]
        of_sd = self.names[int(np.abs(self.check.log_sd_shift).argmax())]
        window = self.check.window
        return (
            f"move a mean by at most {mean:.2f} sd ({of_mean}), a log sd by {log_sd:.2f} "
            f"({of_sd}); R-hat {window.rhat.max():.2f}, {100 * window.divergent:.1f} % divergent"
        )

    def _starts_in_words(self) -> str:
        agree, of = self.journal.starts
        if not of:
            return ""
        modes = f", {self.journal.modes} modes" if self.journal.modes > 1 else ""
        return f"{agree} of {of} came to the result{modes}"

    def _end_in_words(self) -> str:
        skipped = f", {self.skipped:,d} of them skipped" if self.skipped else ""
        steps = f"after {self.steps:,d} steps{skipped}: " if self.steps else ""
        return f"{steps}{self.stopped or 'not fitted'}"

    def _stages(self) -> list[str]:
        return [str(stage) for stage in self.journal.stages]
