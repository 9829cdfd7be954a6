"""What the series leaves out that integrates latents out."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from taut.diagnose import BalancedWeights, Finding, at_most, criteria
from taut.marginal import Estimate, Integrand, Value
from taut.target import Space

Functions = Float[np.ndarray, "draws globals"]

# Standard errors up to which what is left out is taken for noise.
_NOISE = 2.0


def third_cumulant(
    space: Space,
    integrand: Integrand,
    found: Sequence[Value | Estimate],
    weights: BalancedWeights,
    x: Functions,
) -> tuple[Finding, ...]:
    """Judge how far the next term would move the globals, beyond its noise.

    Parameters
    ----------
    space
        The model's unknowns.
    integrand
        The marginal density.
    found
        What it is at draws.
    weights
        Of these.
    x
        The draws, in standard deviations of the fit.
    """
    third = np.array([one.third for one in found if isinstance(one, Estimate)])
    if not len(third):
        return ()
    third = np.where(np.isfinite(third), third, 0.0)
    mean = "the next term of the series for the latents moves a mean by {:.2f} sd (bound {:.2f})"
    spread = "the next term of the series for the latents moves a log sd by {:.2f} (bound {:.2f})"
    judged = []
    for criterion, words, functions in (
        ("mean_shift", mean, x),
        ("log_sd_shift", spread, 0.5 * x**2),
    ):
        flat = np.zeros(space.dim)
        flat[integrand.structure.globals] = _moved(functions, third, weights.plain)
        bound = np.full(space.dim, getattr(criteria.CRITERIA, criterion))
        judged.append(at_most(criterion, words, flat, bound, space))
    return tuple(judged)


def _moved(
    functions: Functions,
    log_ratios: Float[np.ndarray, " draws"],
    plain: Float[np.ndarray, " draws"],
) -> Float[np.ndarray, " globals"]:
    """Return how far small log ratios move means of functions, to first order, less noise."""
    away = functions - plain @ functions / len(plain)
    level = plain @ log_ratios / len(plain)
    each = (plain * (log_ratios - level))[:, None] * away
    error = each.std(axis=0) / np.sqrt(len(each))
    return np.maximum(np.abs(each.mean(axis=0)) - _NOISE * error, 0.0)
