"""What the series leaves out that integrates latents out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from taut.diagnose import BalancedWeights, Finding, at_most, criteria
from taut.marginal import Estimate, Integrand, Value
from taut.target import Space

Functions = Float[np.ndarray, "draws globals"]
Each = Float[np.ndarray, " globals"]


@final
@dataclass(frozen=True, eq=False)
class Third:
    """What the next term of the series moves.

    Parameters
    ----------
    findings
        How far it moves the globals.
    is_known
        Whether moves of the size of their bounds would stand out from the noise.
    """

    findings: tuple[Finding, ...] = ()
    is_known: bool = True


def third_cumulant(
    space: Space,
    integrand: Integrand,
    found: Sequence[Value | Estimate],
    weights: BalancedWeights,
    x: Functions,
) -> Third:
    """Judge how far the next term would move the globals.

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
        return Third()
    third = np.where(np.isfinite(third), third, 0.0)
    mean = "the next term of the series for the latents moves a mean by {:.2f} sd (bound {:.2f})"
    spread = "the next term of the series for the latents moves a log sd by {:.2f} (bound {:.2f})"
    bounds, judged, is_known = criteria.CRITERIA, [], True
    for criterion, words, functions in (
        ("mean_shift", mean, x),
        ("log_sd_shift", spread, 0.5 * x**2),
    ):
        moved, noise = _moved(functions, third, weights.plain)
        flat, bound = np.zeros(space.dim), getattr(bounds, criterion)
        flat[integrand.structure.globals] = np.abs(moved)
        judged.append(at_most(criterion, words, flat, np.full(space.dim, bound), space))
        is_known &= bool(bounds.noise * noise.max() < bound)
    return Third(tuple(judged), is_known)


def _moved(
    functions: Functions,
    log_ratios: Float[np.ndarray, " draws"],
    plain: Float[np.ndarray, " draws"],
) -> tuple[Each, Each]:
    """Return how far small log ratios move means of functions, to first order, with its noise."""
    away = functions - plain @ functions / len(plain)
    level = plain @ log_ratios / len(plain)
    each = (plain * (log_ratios - level))[:, None] * away
    return each.mean(axis=0), each.std(axis=0) / np.sqrt(len(each))
