"""Which slice of the flat vector belongs to which variable."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from taut.arrays import AnyArray


@dataclass(frozen=True)
class Slot:
    """The place of one variable in the flat vector.

    Parameters
    ----------
    name
        The variable's name.
    shape
        Its shape; ``()`` for a scalar.
    start
        Index of its first element.
    """

    name: str
    shape: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def slice(self) -> slice:
        return slice(self.start, self.start + self.size)


@dataclass(frozen=True)
class Space:
    """A flat vector seen as named arrays, in a fixed order.

    Equal spaces hash alike, so a program compiled for one serves the other.

    Examples
    --------
    >>> from taut.target import Space
    >>> space = Space.of({"mu": (), "theta": (2,)})
    >>> space.dim, space.element_name(2)
    (3, 'theta[1]')
    """

    slots: tuple[Slot, ...]

    @classmethod
    def of(cls, shapes: Mapping[str, tuple[int, ...]]) -> "Space":
        """Lay out variables of these shapes one after another."""
        slots, start = [], 0
        for name, shape in shapes.items():
            slots.append(Slot(name, tuple(int(n) for n in shape), start))
            start += slots[-1].size
        return cls(tuple(slots))

    @property
    def dim(self) -> int:
        return sum(slot.size for slot in self.slots)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(slot.name for slot in self.slots)

    def __iter__(self) -> Iterator[Slot]:
        return iter(self.slots)

    def __getitem__(self, name: str) -> Slot:
        for slot in self.slots:
            if slot.name == name:
                return slot
        raise KeyError(name)

    def ravel(self, values: Mapping[str, Any]) -> np.ndarray:
        """Join named arrays to one flat vector, on the host."""
        if not self.slots:
            return np.empty(0)
        return np.concatenate([np.ravel(np.asarray(values[slot.name])) for slot in self.slots])

    def unravel(self, z: Float[AnyArray, "*draws dim"]) -> dict[str, Any]:
        """Cut flat vectors into named arrays, of NumPy or JAX as they are."""
        draws = z.shape[:-1]
        parts = zip(self.slots, self._cut(z), strict=True)
        return {slot.name: part.reshape(draws + slot.shape) for slot, part in parts}

    def _cut(self, z: Float[AnyArray, "*draws dim"]) -> Sequence[Any]:
        if isinstance(z, np.ndarray) or not self.slots:
            return [z[..., slot.slice] for slot in self.slots]
        # The gradient joins the parts again, where that of slices would fill up each and add.
        return jax.lax.split(z, [slot.size for slot in self.slots], axis=z.ndim - 1)

    def element_name(self, index: int) -> str:
        """Name the variable, and the element of it, at one index of the flat vector."""
        for slot in self.slots:
            if slot.start <= index < slot.start + slot.size:
                position = np.unravel_index(index - slot.start, slot.shape) if slot.shape else ()
                suffix = "[" + ", ".join(str(int(i)) for i in position) + "]" if position else ""
                return slot.name + suffix
        raise IndexError(f"index {index} is outside of a vector of {self.dim} elements")


@dataclass(frozen=True, eq=False)
class Labels:
    """Dims and coordinates of a model's variables, for the reader's eyes.

    All labels are equal to one another: they travel with a target but never decide which
    compiled program serves it, so that new coordinates compile nothing.
    """

    dims: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)
    coords: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Labels)

    def __hash__(self) -> int:
        return hash(Labels)
