"""Where quasi-Newton paths begin: around a point, and at draws of the prior."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

Points = Float[np.ndarray, "points dim"]
# So many draws of the prior by a seed; `None` where it has none.
Prior = Callable[[int, int], Points | None]

# How far from the start each element may be: of the first paths, and of those that follow in turn.
_FIRST, _FOLLOWING = (0.0, 1.0, 2.0, 2.0, 2.0, 4.0, 4.0, 8.0), (1.0, 2.0, 4.0, 8.0)
# The same where a user says where to look, and in so many dimensions that those far out would be
# farther than eight in five.
_NEAR, _FEW = 2.0, 5
# Of four later paths two begin at draws of the prior, one halfway from there to the start.
_PRIOR, _HALFWAY = 0.5, 0.25


def no_prior(count: int, seed: int) -> None:
    """Return no draws, where there is no prior to draw from."""


@final
@dataclass(frozen=True)
class Starts:
    """Points of several kinds at which paths begin.

    The first are around a point, a little or far from it, and cost nothing. The others are draws of
    the prior too, some of them halfway to that point; where the prior has no draws they are around
    the point alone, and so are elements whose prior is improper.

    Parameters
    ----------
    point
        The model's initial point, or what the user gave.
    prior
        Draws points of the prior.
    is_given
        Whether the user gave the point: then all begin near.

    Examples
    --------
    >>> import numpy as np
    >>> from taut.modes import Starts
    >>> starts = Starts(np.zeros(2), lambda count, seed: np.full((count, 2), 100.0))
    >>> random = np.random.default_rng(1)
    >>> print(np.abs(starts.first(random)).max() <= 8.0, starts.more(8, random)[:6, 0])
    True [100. 100. 100. 100.  50.  50.]
    """

    point: Float[np.ndarray, " dim"]
    prior: Prior = no_prior
    is_given: bool = False

    def first(self, random: np.random.Generator) -> Points:
        """Draw eight points, the first of them the start itself."""
        return self._around(np.array(_FIRST), random)

    def far(self, count: int, random: np.random.Generator) -> Points:
        """Draw points far and wide around the start, spread evenly along each element."""
        dim = len(self.point)
        strata = np.argsort(random.random((count, dim)), axis=0) + random.random((count, dim))
        return self.point + self._reach * (2.0 * strata / count - 1.0)

    def more(self, count: int, random: np.random.Generator) -> Points:
        """Draw further points, some from the prior, others around the start."""
        drawn = None if self.is_given else self.prior(count, int(random.integers(2**31)))
        around = self._around(np.resize(_FOLLOWING, count), random)
        if drawn is None:
            return around
        whole, halfway = int(_PRIOR * count), int((_PRIOR + _HALFWAY) * count)
        drawn = np.where(np.isfinite(drawn), drawn, around)
        drawn[whole:halfway] = 0.5 * (drawn[whole:halfway] + self.point)
        return np.concatenate([drawn[:halfway], around[halfway:]])

    def _around(self, scales: Float[np.ndarray, " points"], random: np.random.Generator) -> Points:
        scales = np.minimum(scales, self._reach)
        apart = random.uniform(-1.0, 1.0, (len(scales), len(self.point)))
        return self.point + scales[:, None] * apart

    @property
    def _reach(self) -> float:
        """How far from the point elements may be."""
        farthest = max(_FIRST) * float(np.sqrt(_FEW / max(len(self.point), _FEW)))
        return _NEAR if self.is_given else max(_NEAR, farthest)
