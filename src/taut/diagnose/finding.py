"""What a criterion found, in words."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from taut.target import Space

Each = Float[np.ndarray, " dim"]


@dataclass(frozen=True)
class Finding:
    """What one criterion found.

    Parameters
    ----------
    criterion
        Its name in `taut.diagnose.Criteria`.
    holds
        Whether it is met.
    words
        What was found, its bound, and the variable.
    """

    criterion: str
    holds: bool
    words: str

    def __str__(self) -> str:
        return self.words


def failed(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings that do not hold."""
    return tuple(finding for finding in findings if not finding.holds)


def at_most(criterion: str, words: str, figures: Each, bounds: Each, space: Space) -> Finding:
    """Compare a figure of each element with its bound, and name the worst.

    Parameters
    ----------
    criterion
        Its name.
    words
        With places for the figure and the bound: ``"a mean moves by {:.2f} sd (bound {:.2f})"``.
    figures, bounds
        Of each element.
    space
        Names the elements.
    """
    worst = int(np.argmax(np.where(np.isfinite(figures), figures / bounds, np.inf)))
    holds = bool((figures <= bounds).all())
    said = words.format(figures[worst], bounds[worst])
    return Finding(criterion, holds, f"{said}, {space.element_name(worst)}")


def at_least(criterion: str, words: str, figures: Each, bound: float, space: Space) -> Finding:
    """Compare the smallest figure of all elements with its bound; see `at_most`."""
    worst = int(np.argmin(np.where(np.isfinite(figures), figures, -np.inf)))
    holds = bool((figures >= bound).all())
    said = words.format(figures[worst], bound)
    return Finding(criterion, holds, f"{said}, {space.element_name(worst)}")
