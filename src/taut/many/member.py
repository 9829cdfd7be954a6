"""One of many data sets whose fits advance together."""

from collections.abc import Hashable
from typing import Any, final

import numpy as np
from jaxtyping import Float

from taut import seed
from taut.chains import RATE, Coordinates, Round, coordinates_of
from taut.frontend import AbstractSource
from taut.modes import Starts
from taut.target import Target

# Paths to modes.
_PATHS = 4
# Rounds from which coordinates are learnt: where weights judge, and where chains do.
_LEARNING, _LEARNING_ALONE = 2, 4
# How PyMC ends the names of logarithms.
_SCALE = "_log__"
# Of the sizes of the density's terms, as in `taut.approximation.agreement`.
_IN_64_BITS, _IN_32_BITS = 1e-6, 1e-2


@final
class Member:
    """A data set on its way.

    Parameters
    ----------
    key
        Of the data set.
    source
        The model with it.
    random_seed
        Of its fit.

    Attributes
    ----------
    target
        The density.
    coordinates
        Of the rounds that count; `None` before these.
    rounds
        Those that count.
    state
        What the next round begins with: coordinates, as the program takes them, where chains are,
        and the logarithm of the step size; `None` before they begin.
    is_bent
        Whether the coordinates are of any kind, and chains are told by their place in these.
    number
        Of the round to come, from 1 on.
    is_left_to_chains
        Whether their draws are the result, as for scales of which the prior says nothing normal: no
        weights see how narrow other elements become in the tails of such a scale.
    is_right
        Whether chains are where numbers are finite, and what is compiled is the density that
        PyTensor evaluates.
    """

    def __init__(self, key: Hashable, source: AbstractSource, random_seed: int) -> None:
        self.key, self.source, self.random_seed = key, source, seed.entropy(random_seed)
        self.target: Target = source.target()
        self.words = seed.key_words(self.random_seed, seed.STEPS)
        self.start = source.start(None, int(seed.key_words(self.random_seed, seed.START)[0]))
        self.coordinates: Coordinates | None = None
        self.rounds: list[Round] = []
        self.state: Any = None
        self.number, self.is_bent, self.is_right = 1, False, True
        self.is_left_to_chains = not is_known(self.target)
        self._settles = False
        self._expected: tuple[float, float] | None = None

    def is_ready(self) -> bool:
        """Evaluate the density at the start; what has none there is left to a fit of its own."""
        try:
            self._expected = self.source.log_density(self.start)
        except (IndexError, ValueError):
            # That fit says what is wrong.
            return False
        return self._expected is not None and bool(np.isfinite(self._expected[0]))

    def starts(self) -> Float[np.ndarray, "paths dim"]:
        """Return where paths begin."""
        random = np.random.default_rng(self.random_seed)
        return Starts(self.start).first(random)[:_PATHS].astype(self.target.dtype)

    def begin(self, value: float, state: Any) -> None:
        """Take up where chains begin, and the compiled density at the start."""
        self.state = state
        assert self._expected is not None
        expected, size = self._expected
        wide = np.dtype(self.target.dtype).itemsize == 8
        part = _IN_64_BITS if wide else _IN_32_BITS
        self.is_right = abs(value - expected) <= part * (1.0 + size)

    @property
    def learns(self) -> bool:
        """Whether the round to come is one of the first, from which coordinates are learnt."""
        return self.number <= (_LEARNING_ALONE if self.is_left_to_chains else _LEARNING)

    @property
    def rate(self) -> float:
        """How fast step sizes follow in it; draws that are the result have steps that stay."""
        return RATE if self.learns or not self.is_left_to_chains else 0.0

    def advance(self, made: Round) -> None:
        """Take up a round, and the coordinates that it has learnt, if it is one of the first."""
        at, _, _ = self.state
        last, learns = made.draws[-1], self.learns
        self.number += 1
        if not np.isfinite(last).all():
            self.is_right = False
            return
        if learns:
            self.state = made.learnt, last, made.log_step
            return
        self.coordinates = self.coordinates or coordinates_of(self.target, at)
        if self._settles:
            self._settles = False
        else:
            self.rounds.append(made)
        self.state = at, self._whitened(last), made.log_step

    def bend(self, coordinates: Coordinates, fixed: Coordinates, log_step: float) -> None:
        """Count rounds anew, but for the first, in coordinates of any kind.

        Parameters
        ----------
        coordinates
            The coordinates.
        fixed
            The same, of a shape that others have too.
        log_step
            Logarithm of the first step size.
        """
        last = self.rounds[-1].draws[-1]
        self.coordinates, self.rounds = coordinates, []
        self.is_bent = self._settles = True
        dtype = self.target.dtype
        self.state = fixed, self._whitened(last), np.asarray(log_step, dtype)

    def _whitened(self, z: Any) -> Any:
        if not self.is_bent:
            return z
        assert self.coordinates is not None
        return self.coordinates.whiten(z.astype(float)).astype(self.target.dtype)


def is_known(target: Target) -> bool:
    """Whether the prior says of elements that they are normal given scales, or there are none.

    Parameters
    ----------
    target
        The density.
    """
    has_scales = any(name.endswith(_SCALE) for name in target.space.names)
    return target.conditionals is not None or not has_scales
