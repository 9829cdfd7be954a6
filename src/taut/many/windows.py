"""Rounds of chains as what they did together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from taut.chains import Round, Tally, Window
from taut.many.member import Member


def window_of(member: Member, rounds: Sequence[Round]) -> Window:
    """Join rounds.

    Parameters
    ----------
    member
        Whose rounds these are.
    rounds
        In the coordinates in which its chains are.
    """
    assert member.coordinates is not None
    draws = np.concatenate([one.draws for one in rounds]).astype(float)
    tally = Tally(*draws.shape[1:])
    for one in rounds:
        tally.add_sums(len(one.draws), one.sums, one.each)
    return Window(
        draws,
        np.mean([one.accepted for one in rounds], axis=0),
        tally.said(member.coordinates),
        _at(draws, [one.diverged for one in rounds]),
        _at(draws, [one.left for one in rounds]),
    )


def _at(
    draws: Float[np.ndarray, "transitions chains dim"], which: list[Any]
) -> Float[np.ndarray, "some dim"]:
    """Return where chains were then."""
    return draws[np.concatenate(which)]
