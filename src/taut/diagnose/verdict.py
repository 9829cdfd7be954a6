"""One verdict in plain words, with the next thing to try."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from taut.diagnose.finding import Finding

_NUTS = (
    "Run NUTS from where this fit is: approx.nuts_start() gives start points and a mass matrix. "
    "A reparametrisation, such as a non-centred one, may help both."
)
_CHECK = "Check it now: approx.diagnose()."
# Criteria that are printed.
_NAMED = 3


@dataclass(frozen=True)
class Verdict:
    """Whether to trust a fit.

    Parameters
    ----------
    trusted
        Whether means and standard deviations can be relied on.
    words
        Why.
    advice
        What to try next; empty where there is nothing to do.
    reasons
        The criteria that failed, each with its figure, its bound and the variable.
    """

    trusted: bool
    words: str
    advice: str = ""
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        head = f"{'trusted' if self.trusted else 'not trusted'}: {self.words}"
        return "; ".join([head, *self.reasons[:_NAMED]])

    def because_of(self, failed: Sequence[Finding]) -> "Verdict":
        """Name the criteria that failed."""
        if self.trusted or not failed:
            return self
        return replace(self, reasons=tuple(map(str, failed)))


class Outcome(Enum):
    """How a fit came out."""

    EXACT = Verdict(
        True, "log p and log q differ by a constant, nearly, and no start saw anything else"
    )
    WEIGHED = Verdict(True, "importance weights of its draws are even, and move no marginal")
    RESAMPLED = Verdict(
        True, "its draws are chosen by importance weights, and chains move none of their marginals"
    )
    CHECKED = Verdict(True, "short chains from its draws move no marginal")
    INTEGRATED = Verdict(
        True,
        "its latents are integrated out, and importance weights of what is left move no marginal",
    )
    NOT_CONFIRMED = Verdict(
        False,
        "its latents are integrated out, and what judges the rest does not confirm it",
        f"With up to some thousand unknowns leave method out, and chains judge the fit. {_NUTS}",
    )
    REPAIRED = Verdict(True, "its draws are those of chains that have settled")
    MIXED = Verdict(True, "there are several modes, and their mixture has the shape of log p")
    MOVED = Verdict(
        False,
        "short chains from its draws move it",
        "Go on with the chains, approx.repair(), or let taut.fit() choose the method.",
    )
    UNCONFIRMED = Verdict(
        False, "short chains from its draws do not move it, and can not confirm it", _NUTS
    )
    HEAVY = Verdict(
        False,
        "its draws are those of chains that have settled, but tails are so heavy that their means "
        "and standard deviations are uncertain",
        "Quantiles of the draws have settled: read these.",
    )
    UNSETTLED = Verdict(False, "short chains moved it, and have not settled", _NUTS)
    UNCERTAIN = Verdict(
        False,
        "there are several modes, and their masses and shapes are not certain",
        "Look at each mode: start the fit there, start={'name': value}. Constrain the model if "
        "they are mirror images.",
    )
    UNEVEN = Verdict(
        False,
        "it has parts of very different scale, as a funnel has, and their masses are not certain",
        _NUTS,
    )
    DRIFTED = Verdict(
        False,
        "earlier rows stand in it as quadratics, and what these leave out would move it",
        "Fit all rows together, or weigh them where they are at hand: "
        "approx.update(new_rows, old=[...]).",
    )
    NO_DENSITY = Verdict(
        False,
        "no draw of the best Gaussian has a finite density, and chains have not settled",
        f"The support may have an edge that moves with other variables. {_NUTS}",
    )
    UNCHECKED = Verdict(
        False, "there was no time to check it", f"Give it more time (max_seconds). {_CHECK}"
    )
    INTERRUPTED = Verdict(False, "it was interrupted before it was checked", _CHECK)
    NOT_CHECKED = Verdict(False, "it has not been checked", _CHECK)
    NOT_FINITE = Verdict(
        False,
        "the fit ended because the density was not finite",
        "Look at the error's message: it names the variable. Narrower priors or a smaller "
        "learning rate may help.",
    )

    @property
    def verdict(self) -> Verdict:
        """Its verdict."""
        return self.value


# Outcomes of fits that nobody has judged yet.
NOT_JUDGED = (None, Outcome.UNCHECKED, Outcome.INTERRUPTED, Outcome.NOT_CHECKED)
