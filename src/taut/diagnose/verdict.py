"""One verdict in plain words, with the next thing to try."""

from dataclasses import dataclass
from enum import Enum

_NUTS = (
    "Run NUTS from where this fit is: approx.nuts_start() gives start points and a mass matrix. "
    "A reparametrisation, such as a non-centred one, may help both."
)


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
    """

    trusted: bool
    words: str
    advice: str = ""

    def __str__(self) -> str:
        head = "trust it" if self.trusted else "do not trust it"
        return f"{head}: {self.words}"


class Outcome(Enum):
    """How a fit came out."""

    EXACT = Verdict(
        True, "log p and log q differ by a constant, nearly, and no start saw anything else"
    )
    CHECKED = Verdict(True, "short chains from its draws move no marginal")
    REPAIRED = Verdict(True, "its draws are those of chains that have settled")
    MIXED = Verdict(True, "there are several modes, and their mixture has the shape of log p")
    MOVED = Verdict(
        False,
        "short chains from its draws move it",
        "Go on with the chains, approx.repair(), or let taut.fit() choose the method.",
    )
    HEAVY = Verdict(
        False,
        "its draws are those of chains that have settled, but tails are so heavy that their means "
        "and standard deviations are uncertain",
        "Quantiles of the draws have settled: read these.",
    )
    UNSETTLED = Verdict(False, "short chains moved it, and have not settled or diverge", _NUTS)
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
    UNCHECKED = Verdict(
        False,
        "there was no time to check it",
        "Give it more time, or check it now: approx.diagnose().",
    )
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
