"""How far short chains move the marginals of an approximation."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from taut.chains import Window
from taut.diagnose import criteria
from taut.diagnose.finding import Finding, at_least, at_most, failed
from taut.gaussian import Normal
from taut.target import Space

Each = Float[np.ndarray, " dim"]

# A shift that is so many times too large, beyond its noise, is not looked at again, for chains mend
# it with fewer gradients than more of them take to see it; nor one that could, by so many standard
# errors, not be so many times what is allowed.
_CLEARLY, _AT_MOST, _SURE = 1.5, 2.0, 3.0
# No noise excuses a shift of so much.
_HIDDEN = 0.3
_TINY = 1e-300


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of the elements, with their standard errors.

    Parameters
    ----------
    mean, std
        Of each element.
    noise, log_std_noise
        Standard errors of the mean, and of the logarithm of the standard deviation; 0 where both
        are known.
    """

    mean: Each
    std: Each
    noise: Each
    log_std_noise: Each

    @classmethod
    def known(cls, mean: Each, std: Each) -> "Moments":
        """Take exact moments."""
        return cls(mean, std, np.zeros(len(mean)), np.zeros(len(mean)))

    @classmethod
    def of(cls, draws: Float[np.ndarray, "draws dim"]) -> "Moments":
        """Estimate moments from independent draws."""
        mean, std = draws.mean(axis=0), np.maximum(draws.std(axis=0), _TINY)
        # The square of a heavy-tailed element is known less well than that of a Gaussian.
        squares = (((draws - mean) / std) ** 2).std(axis=0)
        return cls(mean, std, std / len(draws) ** 0.5, 0.5 * squares / len(draws) ** 0.5)


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
        Standard errors of `mean_shift` and `log_sd_shift`, of both sides.
    window
        The transitions it was measured in.
    may_jump
        Whether the density is known to have jumps, or an edge that moves: what gradients say of
        means and spreads does not hold then, and is no sign of chains that creep.

    References
    ----------
    Wang, Kasprzak, Huggins (2023), A targeted accuracy diagnostic for variational approximations.
    """

    mean_shift: Each
    log_sd_shift: Each
    noise: Each
    log_sd_noise: Each
    window: Window
    may_jump: bool = False

    def moves(self, space: Space) -> tuple[Finding, ...]:
        """Compare shifts with their bounds, of an approximation."""
        return self._compared(*self._bounds(1.0, _HIDDEN), space)

    def may_be_noise(self, space: Space) -> bool:
        """Whether noise could explain what moves, however large."""
        return not failed(self._compared(*self._bounds(1.0, np.inf), space))

    def _bounds(self, times: float, most: float) -> tuple[Each, Each]:
        """Return so many times what is allowed, or what noise would explain, up to so much."""
        bounds = criteria.CRITERIA
        noise = np.minimum(bounds.noise * np.array([self.noise, self.log_sd_noise]), most)
        return (
            np.maximum(times * bounds.mean_shift, noise[0]),
            np.maximum(times * bounds.log_sd_shift, noise[1]),
        )

    def rounds_differ(self, space: Space) -> tuple[Finding, ...]:
        """Compare shifts with their bounds between two rounds of a repair."""
        bound = np.full(space.dim, criteria.CRITERIA.settled_shift)
        return self._compared(bound, bound, space, "settled_shift", "settled_shift")

    def _compared(
        self, mean: Each, spread: Each, space: Space,
        of_mean: str = "mean_shift", of_spread: str = "log_sd_shift",
    ) -> tuple[Finding, ...]:  # fmt: skip
        moved = "chains move a mean by {:.2f} sd (bound {:.2f})"
        widened = "chains move a log sd by {:.2f} (bound {:.2f})"
        return (
            at_most(of_mean, moved, np.abs(self.mean_shift), mean, space),
            at_most(of_spread, widened, np.abs(self.log_sd_shift), spread, space),
        )

    def of_approximation(self, space: Space) -> tuple[Finding, ...]:
        """Judge `q`, at draws of which the chains began, by every criterion there is."""
        return (*self.moves(space), *of_chains(self.window, space, may_jump=self.may_jump))

    def of_repair(self, space: Space) -> tuple[Finding, ...]:
        """Judge the draws of chains, compared with those of the round before."""
        bounds, window = criteria.CRITERIA, self.window
        worth = "draws are worth {:.0f} independent ones (bound {:.0f})"
        spread = "their spread is worth that of {:.0f} independent ones (bound {:.0f})"
        known, enough = window.effective_spread, bounds.effective_spread
        return (
            *self.rounds_differ(space),
            *of_chains(window, space, may_jump=self.may_jump),
            at_least("effective", worth, window.effective, bounds.effective, space),
            at_least("effective_spread", spread, known, enough, space),
        )

    def is_decided(self, space: Space) -> bool:
        """Whether more chains would not change what is to be done."""
        if failed(self._compared(*self._bounds(_CLEARLY, np.inf), space)):
            return True
        bounds = criteria.CRITERIA
        mean = np.minimum(1.0, _AT_MOST - _SURE * self.noise / bounds.mean_shift)
        spread = np.minimum(1.0, _AT_MOST - _SURE * self.log_sd_noise / bounds.log_sd_shift)
        is_sure = (np.abs(self.mean_shift) < mean * bounds.mean_shift).all() and (
            np.abs(self.log_sd_shift) < spread * bounds.log_sd_shift
        ).all()
        quiet = self.window.divergent == 0.0
        apart = failed(of_chains(self.window, space, may_jump=self.may_jump))
        return bool(is_sure and quiet and not apart)

    @property
    def worst(self) -> int:
        """The element that moves most."""
        return int(np.argmax(np.maximum(np.abs(self.mean_shift), np.abs(self.log_sd_shift))))

    @cached_property
    def largest(self) -> tuple[float, float]:
        """The largest shift of a mean, and of the logarithm of a standard deviation."""
        return float(np.abs(self.mean_shift).max()), float(np.abs(self.log_sd_shift).max())

    def improve(self, normal: Normal) -> Normal:
        """Move a Gaussian to the mean and marginal spread that chains have, less what is noise."""
        spread = self.window.corrected.std(axis=0)
        shift = np.log(np.maximum(spread, _TINY) / np.maximum(normal.std, _TINY))
        # As of so many independent draws: of what squares have more, gradients take most.
        noise = self.window.standard_error / np.maximum(np.sqrt(2.0) * spread, _TINY)
        return normal.moved(
            self.window.correction.posterior_mean, np.exp(beyond_noise(shift, noise))
        )


def beyond_noise(shift: Each, noise: Each) -> Each:
    """Shrink shifts by the share of their square that noise would explain."""
    return shift * shift**2 / np.maximum(shift**2 + noise**2, _TINY)


def shift_of(before: Moments, window: Window, *, may_jump: bool = False) -> ChainCheck:
    """Compare what chains visited with the moments they began with."""
    spread = window.corrected.std(axis=0)
    return ChainCheck(
        (window.corrected.mean(axis=0) - before.mean) / before.std,
        np.log(np.maximum(spread, _TINY) / before.std),
        np.hypot(window.correction.standard_error, before.noise) / before.std,
        np.hypot(window.log_std_error, before.log_std_noise),
        window,
        may_jump,
    )


def of_chains(window: Window, space: Space, *, may_jump: bool) -> tuple[Finding, ...]:
    """Judge chains: whether each has seen what all have, and the gradients agree.

    Parameters
    ----------
    window
        What they did.
    space
        Names the elements.
    may_jump
        Whether the density is known to have jumps.
    """
    bounds = criteria.CRITERIA
    worth = "each chain is worth {:.1f} independent draws (bound {:.1f})"
    found = [
        at_least("draws_each", worth, window.draws_each, bounds.draws_each, space),
        _of_divergences(window, space, may_jump=may_jump),
        _of_stuck_chains(window),
    ]
    if not window.said.holds and not may_jump:
        found.append(_of_gradients(window))
    return tuple(found)


def _of_divergences(window: Window, space: Space, *, may_jump: bool) -> Finding:
    """Count transitions that diverge; those that leave a support with an edge are only refused."""
    lost = window.diverged if may_jump else np.concatenate([window.diverged, window.left])
    share = len(lost) / len(window.pooled)
    bound, near = criteria.CRITERIA.divergent, ""
    if len(lost):
        away = lost.mean(axis=0) - window.pooled.mean(axis=0)
        away /= np.maximum(window.pooled.std(axis=0), _TINY)
        worst = int(np.argmax(np.abs(away)))
        near = f", near {space.element_name(worst)} {'small' if away[worst] < 0 else 'large'}"
    words = f"{share:.2%} of transitions diverge (bound {bound:.1%}){near}"
    return Finding("divergent", share <= bound, words)


def _of_stuck_chains(window: Window) -> Finding:
    bounds = criteria.CRITERIA
    share = float((window.accepted < bounds.stuck_acceptance).mean())
    words = f"{share:.0%} of chains accept less than {bounds.stuck_acceptance:.0%} of proposals"
    return Finding("stuck", share <= bounds.stuck, f"{words} (bound {bounds.stuck:.0%})")


def _of_gradients(window: Window) -> Finding:
    bound, moves = criteria.CRITERIA.settled_shift, float(np.max(window.said.moves))
    words = (
        f"gradients at the draws say that a mean or log sd is off by {moves:.2f} sd (bound "
        f"{bound:.2f}): chains have not settled, or the density jumps"
    )
    return Finding("settled_shift", moves <= bound, words)
