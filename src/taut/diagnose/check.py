"""Short chains as the judge of an approximation, and as its repair."""

from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from taut.adaptation import adapted, starting_from
from taut.chains import Chains, Window
from taut.coordinates import Linear
from taut.diagnose.verdict import Outcome
from taut.gradients import AbstractGradients
from taut.normal import Normal

# Chains and transitions, the first of them to settle the step size: where gradients are cheap, and
# where one takes longer than this many seconds, or where draws of so many dimensions fill memory.
_DEAR, _WIDE = 1.5e-4, 1000
_MANY, _FEW = (256, 20, 20), (64, 6, 12)
# So many of them look first, then twice as many. They are the last where they find a shift so many
# times too large, or none that could, by so many standard errors, be so many times what is allowed.
_FIRST, _CLEARLY, _AT_MOST, _SURE = 64, 3.0, 2.0, 3.0
# Gradients of a check that passes at the first look, about.
CHECK = 6000
# Shifts under which an approximation is as good as what chains make of it, in standard deviations
# and in their logarithm, beside what is noise: so many standard errors.
MEAN_SHIFT, LOG_SD_SHIFT, _NOISE = 0.1, 0.1, 3.5
# Shifts from one window to the next under which chains have settled.
SETTLED = 0.2
# What chains that are to be trusted may show: the neck of a funnel, which they do not enter, makes
# half a per cent of transitions diverge and is seen by nothing else.
RHAT, DIVERGENT, STUCK, FEW_STUCK, EFFECTIVE = 1.2, 0.002, 0.05, 0.05, 300
# Effective draws to go on for where a gradient takes less than so many seconds.
_PLENTY, _CHEAP = 600, 1e-5
# And so many times as many where tails keep standard deviations from settling.
_HEAVY_TIMES = 4
# Standard deviations of a Gaussian between its quartiles.
_QUARTILES = 1.349
# A round of repair: transitions that are recorded in the first, half as many as go before, and how
# many more they become from round to round; the values that are held at most.
_RECORD, _GROWTH, _MOST_RECORDED, _HELD = 40, 1.5, 400, 25_000_000
# How far transitions go at most, and the share of divergent ones from which on steps are smaller.
_FARTHEST, _RARE = 6.4, 0.001
# Gradients of a repair, by the seconds that one takes, with so many for each element of a
# covariance to go to its coordinates and back. In steps, so that the same fit on the same machine
# takes the same number.
_COLOUR = 1.5e-10
_BUDGETS = (
    (2e-5, 600_000), (1e-4, 300_000), (_DEAR, 120_000), (6e-4, 50_000), (np.inf, 10_000),
)  # fmt: skip

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
    noise, log_sd_noise
        Standard errors of `mean_shift` and `log_sd_shift`.
    window
        The transitions it was measured in.

    References
    ----------
    Wang, Kasprzak, Huggins (2023), A targeted accuracy diagnostic for variational approximations.
    """

    mean_shift: Float[np.ndarray, " dim"]
    log_sd_shift: Float[np.ndarray, " dim"]
    noise: Float[np.ndarray, " dim"]
    log_sd_noise: Float[np.ndarray, " dim"]
    window: Window

    def is_within(self, times: float = 1.0) -> bool:
        """Whether nothing moves by more than the noise and some tenths of a standard deviation."""
        mean = np.maximum(times * MEAN_SHIFT, _NOISE * self.noise)
        spread = np.maximum(times * LOG_SD_SHIFT, _NOISE * self.log_sd_noise)
        return self._is_under(mean, spread)

    def _is_under(self, mean: Float[np.ndarray, " dim"], spread: Float[np.ndarray, " dim"]) -> bool:
        shifts, spreads = np.abs(self.mean_shift) < mean, np.abs(self.log_sd_shift) < spread
        return bool(shifts.all() and spreads.all())

    @property
    def is_passed(self) -> bool:
        """Whether `q` can stay as it is."""
        return self.is_within() and is_converged(self.window)

    @property
    def is_decided(self) -> bool:
        """Whether more chains would not change what is to be done."""
        if not self.is_within(_CLEARLY):
            return True
        mean = np.minimum(MEAN_SHIFT, _AT_MOST * MEAN_SHIFT - _SURE * self.noise)
        spread = np.minimum(LOG_SD_SHIFT, _AT_MOST * LOG_SD_SHIFT - _SURE * self.log_sd_noise)
        is_sure = self._is_under(mean, spread) and self.window.divergent == 0.0
        return is_sure and is_converged(self.window)

    @property
    def is_settled(self) -> bool:
        """Whether chains have come to where they stay, and their draws are worth enough."""
        still = max(self.largest) < SETTLED and self.window.effective > EFFECTIVE
        return still and is_converged(self.window)

    @property
    def worst(self) -> int:
        """The element that moves most."""
        return int(np.argmax(np.maximum(np.abs(self.mean_shift), np.abs(self.log_sd_shift))))

    @cached_property
    def largest(self) -> tuple[float, float]:
        """The largest shift of a mean, and of the logarithm of a standard deviation."""
        return float(np.abs(self.mean_shift).max()), float(np.abs(self.log_sd_shift).max())

    def improve(self, normal: Normal) -> Normal:
        """Give a Gaussian the mean and the marginal spread that chains have, less what is noise."""
        spread = self.window.corrected.std(axis=0) / np.maximum(normal.std, 1e-300)
        shift = np.log(np.maximum(spread, 1e-300))
        square = shift**2
        sure = shift * square / np.maximum(square + self.log_sd_noise**2, 1e-300)
        return normal.moved(self.window.correction.posterior_mean, np.exp(sure))


def is_converged(window: Window) -> bool:
    """Whether every chain has seen the whole of what the others have."""
    return bool(
        window.rhat.max() < RHAT
        and window.divergent < DIVERGENT
        and (window.accepted < STUCK).mean() < FEW_STUCK
    )


def shift_of(
    mean: Float[np.ndarray, " dim"], std: Float[np.ndarray, " dim"], window: Window
) -> ChainCheck:
    """Compare what chains visited with the moments they began with."""
    spread = window.corrected.std(axis=0)
    return ChainCheck(
        (window.corrected.mean(axis=0) - mean) / std,
        np.log(np.maximum(spread, 1e-300) / std),
        window.correction.standard_error / std,
        # As of so many independent draws of a Gaussian.
        window.standard_error / np.maximum(np.sqrt(2.0) * spread, 1e-300),
        window,
    )


def check(
    gradients: AbstractGradients, normal: Normal, draws: Draws, random: np.random.Generator
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
    chains = Chains(gradients, Linear(normal), draws[:_FIRST], random)
    small = gradients.seconds_each < _DEAR and draws.shape[1] <= _WIDE
    count, settle, record = _MANY if small else _FEW
    mean, std = draws.mean(axis=0), np.maximum(draws.std(axis=0), 1e-300)
    while True:
        chains.run(settle)
        found = shift_of(mean, std, chains.run(record))
        if len(chains.z) >= min(count, len(draws)) or found.is_decided:
            return found, chains
        chains.add(draws[len(chains.z) : 2 * len(chains.z)])


def repair(chains: Chains, window: Window) -> Generator[Window, None, None]:
    """Go on with chains, in coordinates learnt from where they have been, without an end.

    Windows grow; transitions become longer where chains stay apart from one another, and steps
    shorter where some diverge.
    """
    begin, record = chains.coordinates, _RECORD
    assert isinstance(begin, Linear)
    most = min(_MOST_RECORDED, max(_RECORD, _HELD // chains.z[:_FIRST].size))
    chains.keep(_FIRST)
    while True:
        start = starting_from(chains.gradients, begin.normal, window.pooled)
        chains.precondition(adapted(start, window.draws))
        chains.run(record // 2)
        before, window = window, chains.run(record)
        yield window
        record = min(int(_GROWTH * record), most)
        if is_stalled(before, window):
            chains.travel = min(2.0 * chains.travel, _FARTHEST)
        if window.divergent > _RARE:
            chains.be_careful()


def is_stalled(before: Window, window: Window) -> bool:
    """Whether chains are apart, and what was learnt from the window before has not halved it."""
    apart = window.rhat.max() - 1.0
    return bool(apart > RHAT - 1.0 and apart > 0.5 * (before.rhat.max() - 1.0))


def outcome_of(found: ChainCheck, before: Window) -> Outcome:
    """Tell how a repair came out, by its last two windows.

    Parameters
    ----------
    found
        What the last one shifted.
    before
        The one before.
    """
    if found.is_settled:
        return Outcome.REPAIRED
    window = found.window
    still = window.effective > EFFECTIVE and is_converged(window)
    return Outcome.HEAVY if still and _middle_shift(before, window) < SETTLED else Outcome.UNSETTLED


def _middle_shift(before: Window, window: Window) -> float:
    """Give the largest shift of a median, and of the logarithm of a distance between quartiles.

    In units of a Gaussian's standard deviation. Tails have no part in these.
    """
    (low, median, high), (lower, middle, higher) = before.quartiles, window.quartiles
    width, wide = np.maximum(high - low, 1e-300), np.maximum(higher - lower, 1e-300)
    shift = np.abs(middle - median) * _QUARTILES / width
    return float(np.maximum(shift, np.abs(np.log(wide / width))).max())


def is_enough(outcome: Outcome, window: Window, wanted: int) -> bool:
    """Whether more rounds would not be worth their time."""
    times = {Outcome.REPAIRED: 1, Outcome.HEAVY: _HEAVY_TIMES}.get(outcome, np.inf)
    return window.effective > times * wanted


def growth(before: Window, window: Window) -> float:
    """Tell how many times the gradients of the last round the next one may take."""
    return _GROWTH * (2.0 if is_stalled(before, window) else 1.0)


def wanted(gradients: AbstractGradients) -> int:
    """Give the effective draws that a repair goes on for."""
    return _PLENTY if gradients.seconds_each < _CHEAP else EFFECTIVE


def affordable(gradients: AbstractGradients) -> int:
    """Give the gradients that a repair may take, of some ten to thirty seconds."""
    dim = min(gradients.target.dim, _WIDE)
    each = gradients.seconds_each + _COLOUR * dim**2
    return next(count for seconds, count in _BUDGETS if each < seconds)
