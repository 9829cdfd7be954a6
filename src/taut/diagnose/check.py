"""Short chains as the judge of an approximation."""

import numpy as np
from jaxtyping import Float

from taut.chains import Chains, Linear
from taut.diagnose.finding import failed
from taut.diagnose.shift import ChainCheck, Moments, shift_of
from taut.gaussian import Normal
from taut.gradients import AbstractGradients

# Chains and transitions, the first of them to settle the step size: where gradients are cheap, and
# where one takes more than this many operations, or where draws of so many dimensions fill memory.
_DEAR, _WIDE = 1_000_000, 1000
_MANY, _FEW = (256, 20, 20), (64, 6, 12)
# So many of them look first, then twice as many.
_FIRST = 64
# Times that steps become smaller where nothing but divergences is wrong, and that chains go on for
# twice as long where they are worth too little to tell what moves: those in heavy tails stay there.
_CAREFUL, _LONGER = 4, 3
# Criteria that chains may meet once they are longer.
_OF_LENGTH = {"draws_each", "mean_shift", "log_sd_shift"}
# Gradients of a check that passes at the first look, about.
CHECK = 6000

Draws = Float[np.ndarray, "draws dim"]


def check(
    gradients: AbstractGradients,
    normal: Normal,
    draws: Draws,
    random: np.random.Generator,
    moments: Moments | None = None,
    *,
    may_jump: bool = False,
) -> tuple[ChainCheck, Chains]:
    """Run short chains from draws of `q`, and see what they shift.

    Parameters
    ----------
    gradients
        Of the log density.
    normal
        A Gaussian near `q`, in whose coordinates the chains move.
    draws
        Of `q`: the first are where chains start.
    random
        Decides the moves.
    moments
        Of `q`, where they are known; else those of the draws.
    may_jump
        Whether the density is known to have jumps.
    """
    chains = Chains(gradients, Linear(normal), draws[:_FIRST], random)
    space = gradients.target.space
    small = gradients.operations < _DEAR and draws.shape[1] <= _WIDE
    count, settle, record = _MANY if small else _FEW
    moments = Moments.of(draws) if moments is None else moments
    careful, longer = _CAREFUL, _LONGER
    while True:
        chains.run(settle)
        found = shift_of(moments, chains.run(record), may_jump=may_jump)
        wrong = {finding.criterion for finding in failed(found.of_approximation(space))}
        if careful and wrong == {"divergent"}:
            # Smaller steps, until divergences are rare or something moves.
            chains.be_careful()
            careful -= 1
        elif longer and wrong and wrong <= _OF_LENGTH and found.may_be_noise(space):
            record *= 2
            longer -= 1
        elif len(chains.z) >= min(count, len(draws)) or found.is_decided(space):
            return found, chains
        else:
            chains.add(draws[len(chains.z) : 2 * len(chains.z)])
