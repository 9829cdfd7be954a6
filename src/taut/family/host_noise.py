"""Noise that NumPy can make, in the shapes and dtypes that JAX would make it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self, final

import numpy as np
from jaxtyping import PyTree


class HostNoise(ABC):
    """What the noise of a family is."""

    @abstractmethod
    def make(self, random: np.random.Generator, draws: int, like: PyTree) -> PyTree:
        """Make the noise of some draws.

        Parameters
        ----------
        random
            Decides it.
        draws
            How many.
        like
            Shapes and dtypes of one draw's noise.
        """


@final
@dataclass(frozen=True)
class NormalNoise(HostNoise):
    """Independent standard normals."""

    def make(self, random: np.random.Generator, draws: int, like: PyTree) -> PyTree:
        return random.standard_normal((draws, *like.shape)).astype(like.dtype, copy=False)


@final
@dataclass(frozen=True)
class NumberNoise(HostNoise):
    """A number below a bound, each as likely as the other."""

    bound: int

    def make(self, random: np.random.Generator, draws: int, like: PyTree) -> PyTree:
        return random.integers(self.bound, size=draws).astype(like.dtype)


@final
@dataclass(frozen=True)
class NoiseOfParts(HostNoise):
    """The noise of each of several families."""

    parts: tuple[HostNoise, ...]

    @classmethod
    def of(cls, parts: Iterable[HostNoise | None]) -> Self | None:
        """Put together; `None` where JAX has to make one of them."""
        known = tuple(parts)
        made = tuple(part for part in known if part is not None)
        return cls(made) if len(made) == len(known) else None

    def make(self, random: np.random.Generator, draws: int, like: PyTree) -> PyTree:
        both = zip(self.parts, like, strict=True)
        return tuple(part.make(random, draws, own) for part, own in both)


@final
@dataclass(frozen=True)
class NoiseOfMixture(HostNoise):
    """A level that chooses one of several families, and the noise of each."""

    parts: NoiseOfParts

    def make(self, random: np.random.Generator, draws: int, like: PyTree) -> PyTree:
        level, each = like
        return random.random(draws, level.dtype), self.parts.make(random, draws, each)
