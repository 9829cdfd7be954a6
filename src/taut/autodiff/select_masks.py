"""Where an array can have a derivative: expressions of the predicates of selects."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

# Masks that are made of more than this are not worth their price.
_DEEPEST, _MOST = 12, 6


class Mask(ABC):
    """An expression of predicates, by variables of a program; its shape is that of an array."""

    def evaluate(self, known: Mapping[Any, Array], made: dict["Mask", Array]) -> Array:
        """Compute the mask from predicates; `made` keeps those that were computed before."""
        if self not in made:
            made[self] = self._evaluate(known, made)
        return made[self]

    @property
    @abstractmethod
    def depth(self) -> int:
        """How many expressions it consists of, one in the other."""

    @abstractmethod
    def predicates(self) -> Iterable[Any]:
        """List the variables that it is computed from."""

    @abstractmethod
    def _evaluate(self, known: Mapping[Any, Array], made: dict["Mask", Array]) -> Array: ...


@final
@dataclass(frozen=True)
class Case(Mask):
    """Where a select takes one of its cases, and something takes the select's result."""

    which: Any
    number: int
    within: Mask | None = None

    @property
    def depth(self) -> int:
        return 1 + (self.within.depth if self.within else 0)

    def predicates(self) -> Iterable[Any]:
        yield self.which
        if self.within is not None:
            yield from self.within.predicates()

    def _evaluate(self, known: Mapping[Any, Any], made: dict[Mask, Array]) -> Array:
        which = known[self.which]
        if which.dtype == bool:
            taken = which if self.number else jnp.logical_not(which)
        else:
            taken = which == self.number
        return taken if self.within is None else taken & self.within.evaluate(known, made)


@final
@dataclass(frozen=True)
class Either(Mask):
    """Where at least one of several masks is true."""

    masks: frozenset[Mask]

    @property
    def depth(self) -> int:
        return 1 + max(mask.depth for mask in self.masks)

    def predicates(self) -> Iterable[Any]:
        for mask in self.masks:
            yield from mask.predicates()

    def _evaluate(self, known: Mapping[Any, Array], made: dict[Mask, Array]) -> Array:
        first, *rest = (mask.evaluate(known, made) for mask in self.masks)
        for mask in rest:
            first = first | mask
        return first


@final
@dataclass(frozen=True)
class Reshaped(Mask):
    """A mask of another shape: repeated along new axes, or with the same elements."""

    mask: Mask
    old: tuple[int, ...]
    shape: tuple[int, ...]
    axes: tuple[int, ...] | None = None

    @property
    def depth(self) -> int:
        return 1 + self.mask.depth

    def predicates(self) -> Iterable[Any]:
        yield from self.mask.predicates()

    def _evaluate(self, known: Mapping[Any, Array], made: dict[Mask, Array]) -> Array:
        mask = spread(self.mask.evaluate(known, made), self.old)
        if self.axes is None:
            return jnp.reshape(mask, self.shape)
        return jax.lax.broadcast_in_dim(mask, self.shape, self.axes)


def spread(mask: Array, shape: tuple[int, ...]) -> Array:
    """Repeat a mask that is one number."""
    return mask if np.shape(mask) == shape else jnp.broadcast_to(mask, shape)


def within(which: Any, number: int, mask: Mask | None) -> Mask | None:
    """Return the mask of one case of a select, whose result has a mask of its own."""
    return mask if mask is not None and mask.depth >= _DEEPEST else Case(which, number, mask)


def union(masks: Iterable[Mask | None]) -> Mask | None:
    """Return where one of the masks is true; `None` is everywhere."""
    found = set(masks)
    while None not in found and (pair := _complements(found)):
        found -= set(pair)
        found.add(pair[0].within)
    if None in found or len(found) > _MOST:
        return None
    return found.pop() if len(found) == 1 else Either(frozenset(m for m in found if m))


def _complements(masks: Iterable[Mask | None]) -> tuple[Case, Case] | None:
    """Find both cases of a select among the masks."""
    seen: dict[Any, Case] = {}
    for mask in masks:
        if isinstance(mask, Case):
            other = seen.setdefault((mask.which, mask.within), mask)
            if other.number + mask.number == 1 and other is not mask:
                return other, mask
    return None
