"""How a fit was reached."""

from dataclasses import dataclass, field
from typing import final

import numpy as np
from jaxtyping import Float

from taut.diagnose import Journal
from taut.engine import Timing
from taut.progress import average

# Why a fit ended whose parameters are others by now.
WRITTEN = "its parameters were written by hand"


@final
@dataclass(frozen=True)
class Record:
    """What labels, reports and the verdict tell of a fit.

    Parameters
    ----------
    method
        Its name.
    hist
        The loss of each step, in nats, at the scale of all rows.
    stopped
        Why it ended.
    skipped
        Steps that were not taken, because the loss or the new parameters were not finite.
    timing
        Where its seconds went.
    journal
        What it did, stage by stage, and its verdict.
    include_transformed
        Whether the group ``posterior`` of draws holds the unconstrained variables too.
    """

    method: str | None = None
    hist: Float[np.ndarray, " steps"] = field(default_factory=lambda: np.empty(0))
    stopped: str | None = None
    skipped: int = 0
    timing: Timing = field(default_factory=Timing)
    journal: Journal = field(default_factory=Journal)
    include_transformed: bool = False

    @property
    def words(self) -> str:
        """How the fit went, in a few words."""
        if self.stopped == WRITTEN:
            return WRITTEN
        if self.journal.outcome is not None:
            trusted = "trusted" if self.journal.verdict.trusted else "not trusted"
            elbo = self.journal.elbo
            return trusted if elbo is None else f"{trusted}, ELBO {elbo:,.5g}"
        loss = f", average loss {average(self.hist):,.5g}" if len(self.hist) else ""
        return f"{len(self.hist):,d} steps{loss}"
