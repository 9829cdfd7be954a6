"""What earlier rows leave out of the quadratics that stand for them, as criteria."""

import numpy as np
from jaxtyping import Float

from taut.diagnose import criteria
from taut.diagnose.finding import Finding, at_most
from taut.target import Space


def of_earlier_rows(
    shift: Float[np.ndarray, " dim"], widened: float, effective: float, space: Space
) -> tuple[Finding, ...]:
    """Compare with the bounds of any fit.

    Parameters
    ----------
    shift
        How far what is left out would move each mean, in standard deviations.
    widened
        How far it moved a logarithm of a standard deviation, of the fits that saw the rows.
    effective
        The smallest share of draws of one of these fits that is effective, weighed by what is left
        out.
    space
        Names the elements.
    """
    bounds = criteria.CRITERIA
    words = "earlier rows would move a mean by {:.2f} sd (bound {:.2f})"
    wide = f"earlier rows moved a log sd by {widened:.2f} (bound {bounds.log_sd_shift:.2f})"
    share = f"{effective:.0%} of draws are effective with them (bound {bounds.effective_share:.0%})"
    return (
        at_most("mean_shift", words, np.abs(shift), np.full(space.dim, bounds.mean_shift), space),
        Finding("log_sd_shift", widened <= bounds.log_sd_shift, wide),
        Finding("effective_share", effective > bounds.effective_share, share),
    )
