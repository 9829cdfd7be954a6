"""Short chains as the judge of an approximation, and as its repair."""

from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from taut.chains import Chains, Window
from taut.gradients import Gradients
from taut.normal import Dense, Normal

# Chains and transitions, the first of them to settle the step size: where gradients are cheap, and
# where one takes longer than this many seconds, or where draws of so many dimensions fill memory.
_DEAR, _WIDE = 1.5e-4, 1000
_MANY, _FEW = (256, 20, 20), (64, 6, 12)
# Shifts under which an approximation is as good as what chains make of it, in standard deviations
# and in their logarithm, beside what is noise: so many standard errors.
MEAN_SHIFT, LOG_SD_SHIFT, _NOISE = 0.1, 0.1, 3.5
# Shifts from one window to the next under which chains have settled.
SETTLED = 0.2
# What chains that are to be trusted may show.
RHAT, DIVERGENT, STUCK = 1.2, 0.05, 0.05
# A round of repair.
_SETTLE, _RECORD = 20, 40
_FARTHEST = 6.4
# Gradients of a repair, by the seconds that one takes. In steps, so that the same fit on the same
# machine takes the same number.
_BUDGETS = ((2e-5, 400_000), (6e-5, 330_000), (_DEAR, 80_000), (6e-4, 30_000), (np.inf, 10_000))

Draws = Float[np.ndarray, "draws dim"]


@dataclass(frozen=True)
class ChainCheck:
    r"""How far short chains that start at draws of `q` move its marginals.

    .. math:: \delta_i = \frac{E_{\mathrm{chains}} z_i - E_q z_i}{\mathrm{sd}_q z_i}

    Whatever the chains converge to, they come nearer to the posterior with each transition, so
    that the shift bounds the error of `q` from below, and names the element that is worst.

    Parameters
    ----------
    mean_shift
        :math:`\delta_i` of each element of the unconstrained vector.
    log_sd_shift
        Logarithm of the standard deviation after the chains over the one before.
    noise
        Standard error of `mean_shift`.
    window
        The transitions it was measured in.

    References
    ----------
    Wang, Kasprzak, Huggins (2023), A targeted accuracy diagnostic for variational approximations.
    """

    mean_shift: Float[np.ndarray, " dim"]
    log_sd_shift: Float[np.ndarray, " dim"]
    noise: Float[np.ndarray, " dim"]
    window: Window

    @property
    def is_small(self) -> bool:
        """Whether nothing moves by more than the noise and a tenth of a standard deviation."""
        mean = np.abs(self.mean_shift) < np.maximum(MEAN_SHIFT, _NOISE * self.noise)
        spread = np.abs(self.log_sd_shift) < np.maximum(LOG_SD_SHIFT, _NOISE * self.noise)
        return bool(mean.all() and spread.all())

    @property
    def is_passed(self) -> bool:
        """Whether `q` can stay as it is."""
        return self.is_small and is_converged(self.window)

    @property
    def is_settled(self) -> bool:
        """Whether chains have come to where they stay."""
        return max(self.largest) < SETTLED and is_converged(self.window)

    @property
    def worst(self) -> int:
        """The element that moves most."""
        return int(np.argmax(np.maximum(np.abs(self.mean_shift), np.abs(self.log_sd_shift))))

    @cached_property
    def largest(self) -> tuple[float, float]:
        """The largest shift of a mean, and of the logarithm of a standard deviation."""
        return float(np.abs(self.mean_shift).max()), float(np.abs(self.log_sd_shift).max())


def is_converged(window: Window) -> bool:
    """Whether every chain has seen the whole of what the others have."""
    return bool(
        window.rhat.max() < RHAT
        and window.divergent < DIVERGENT
        and (window.accepted < STUCK).mean() < DIVERGENT
    )


def shift_of(
    mean: Float[np.ndarray, " dim"], std: Float[np.ndarray, " dim"], window: Window
) -> ChainCheck:
    """Compare what chains visited with the moments they began with."""
    pooled = window.pooled
    return ChainCheck(
        (pooled.mean(axis=0) - mean) / std,
        np.log(np.maximum(pooled.std(axis=0), 1e-300) / std),
        window.standard_error / std,
        window,
    )


def check(
    gradients: Gradients, normal: Normal, draws: Draws, random: np.random.Generator
) -> tuple[ChainCheck, Chains]:
    """Run short chains from draws of `q`, and see what they shift.

    Parameters
    ----------
    gradients
        Of the log density.
    normal
        A Gaussian near `q`, in whose coordinates the chains move.
    draws
        Of `q`: the first are where chains start, all of them are what is compared.
    random
        Decides the moves.
    """
    small = gradients.seconds_each < _DEAR and draws.shape[1] <= _WIDE
    count, settle, record = _MANY if small else _FEW
    chains = Chains(gradients, normal, draws[:count], random)
    chains.run(settle)
    window = chains.run(record)
    return shift_of(draws.mean(axis=0), np.maximum(draws.std(axis=0), 1e-300), window), chains


def repair(chains: Chains, window: Window) -> Generator[Window, None, None]:
    """Go on with chains, in coordinates learnt from where they have been, without an end.

    Transitions become longer while chains stay apart from one another.
    """
    while True:
        learnt = learn(window)
        if learnt is not None:
            chains.precondition(learnt)
        chains.run(_SETTLE)
        window = chains.run(_RECORD)
        yield window
        if window.rhat.max() > RHAT:
            chains.travel = min(2.0 * chains.travel, _FARTHEST)


def affordable(gradients: Gradients) -> int:
    """Give the gradients that a repair may take, fewer where each is dear: about ten seconds."""
    return next(count for seconds, count in _BUDGETS if gradients.seconds_each < seconds)


def learn(window: Window) -> Normal | None:
    """Fit a Gaussian to the draws of a window; `None` where they are too few for one."""
    pooled = window.pooled
    if len(pooled) < 5 * pooled.shape[1]:
        return None
    cov = np.atleast_2d(np.cov(pooled.T))
    return Dense.of(pooled.mean(axis=0), cov + 1e-9 * np.diag(np.diag(cov)))
