"""The numbers on which trust rests."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Criteria:
    r"""Bounds that a fit has to keep in order to be trusted; there are no others.

    Parameters
    ----------
    mean_shift
        How far short chains may move a mean, in standard deviations.
    log_sd_shift
        How far they may move the logarithm of a standard deviation.
    settled_shift
        How far either may move from one round of a repair to the next, and how far gradients at its
        draws may say that either is off.
    noise
        Standard errors up to which a shift is taken for noise, whatever the bounds above.
    draws_each
        Independent draws of the posterior that each chain is worth, at least:
        :math:`W / B`, with the variance B of chains' means and the mean W of their variances. With
        chains of one start each it is :math:`1 / (\hat R^2 - 1)`.
    divergent
        Share of transitions that may diverge.
    stuck_acceptance, stuck
        Share of proposals under which a chain is stuck, and the share of chains that may be.
    effective, effective_spread
        Independent draws that the draws of a repair are worth, at least: for their mean, and for
        their standard deviation. Their errors are then under 0.06, one standard error.
    heavy_times
        How many times as many are drawn before tails are said to be heavy.
    exact_divergence
        Divergence KL(q ‖ p) in nats up to which a Gaussian is the posterior, where q sees it.
    mixed_divergence
        The same for a mixture of modes, whose masses are then taken for those of the posterior.
    khat, effective_share
        Importance weights judge a fit by themselves where their k-hat is under the one, and more
        than this share of the draws is effective.

    Examples
    --------
    >>> from taut.diagnose import Criteria
    >>> Criteria().divergent
    0.002
    """

    mean_shift: float = 0.1
    log_sd_shift: float = 0.1
    settled_shift: float = 0.2
    noise: float = 3.5
    draws_each: float = 2.3
    divergent: float = 0.002
    stuck_acceptance: float = 0.05
    stuck: float = 0.05
    effective: float = 300.0
    effective_spread: float = 150.0
    heavy_times: float = 4.0
    exact_divergence: float = 0.005
    mixed_divergence: float = 0.02
    khat: float = 0.5
    effective_share: float = 0.5


# What every verdict is given by.
CRITERIA = Criteria()
