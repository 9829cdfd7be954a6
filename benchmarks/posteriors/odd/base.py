"""What an odd density is: a posterior whose answer is found twice as finely when asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import pymc as pm

from benchmarks.posteriors.base import Posterior
from benchmarks.posteriors.odd.grids import Answer


@dataclass(frozen=True)
class Odd:
    """A density that is hard for gradients, with its answer.

    Parameters
    ----------
    name, about, kinds, build, scales
        As of a `Posterior`; all are tagged ``odd`` besides.
    answer
        ``answer(fineness)`` computes it, on cells so many times as fine.
    """

    name: str
    about: str
    kinds: tuple[str, ...]
    build: Callable[[], pm.Model]
    answer: Callable[[int], Answer]
    scales: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _answer(self) -> Answer:
        return self.answer(1)

    @property
    def posterior(self) -> Posterior:
        """As the proving ground takes it."""
        return Posterior(
            self.name, self.about, ("odd", *self.kinds), self.build,
            exact=lambda rng, draws: self._answer.draws(rng, draws),
            moments=lambda: self._answer.moments(self.scales),
            scales=self.scales,
        )  # fmt: skip
