"""Odd densities: jumps, plateaus, kinks, moving supports, seams and heavy tails.

Each is to be right to a tenth of a standard deviation, or not to be trusted; see
`benchmarks.proving.odd`. A density is one `Odd` in the module of its kind.
"""

from benchmarks.posteriors.odd import circles, jumps, kinks, supports, tails
from benchmarks.posteriors.odd.base import Odd

_ALL: tuple[Odd, ...] = (
    *jumps.ODD,
    *kinks.ODD,
    *supports.ODD,
    *circles.ODD,
    *tails.ODD,
)
ZOO: dict[str, Odd] = {odd.name: odd for odd in _ALL}

__all__ = ["ZOO", "Odd"]
