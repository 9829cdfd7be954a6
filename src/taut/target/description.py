"""What tells one model from another, in plain values that can be written down."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, final

import jax
import numpy as np

from taut.target.target import Target


@final
@dataclass(frozen=True)
class Variable:
    """A free variable of a model.

    Parameters
    ----------
    name
        Its name.
    unconstrained
        The name it has in the unconstrained space.
    shape
        Of its elements there.
    transform
        What takes it there; `None` where it stays as it is.
    bounds
        Of an interval whose ends are numbers.
    dims
        Names of its axes.
    """

    name: str
    unconstrained: str
    shape: tuple[int, ...]
    transform: str | None = None
    bounds: tuple[float | None, float | None] = (None, None)
    dims: tuple[str | None, ...] = ()

    def differs_from(self, other: "Variable") -> Iterator[str]:
        """Say what is different in another variable of the same name."""
        for what in ("shape", "transform", "bounds", "dims"):
            # As text, in which a bound that is no number is equal to itself.
            own, others = _said(getattr(self, what)), _said(getattr(other, what))
            if own != others:
                yield f"{self.name} has {what} {own} in the fit, and {others} here"


@final
@dataclass(frozen=True)
class Description:
    """A model as its fits know it.

    Parameters
    ----------
    variables
        The free variables, in the order of the unconstrained vector.
    dtype
        Of the unconstrained vector.
    fingerprints
        Digests of data, and of the numbers in the model, by what they belong to.
    """

    variables: tuple[Variable, ...]
    dtype: str
    fingerprints: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_target(cls, target: Target) -> "Description":
        """Describe what a target tells of itself."""
        dims = target.labels.dims
        transform = None if target.constrain_terms is None else "of its own"
        variables = tuple(
            Variable(
                name, name, target.space[name].shape, transform, dims=tuple(dims.get(name, ()))
            )
            for name in target.space.names
        )
        leaves = jax.tree.leaves((target.data, target.batches, target.whole))
        return cls(variables, str(target.dtype), {"data": digest(leaves)})

    def differences(self, other: "Description") -> list[str]:
        """Say where another model has not the variables of this one."""
        own, others = ({v.name: v for v in one.variables} for one in (self, other))
        found = [f"{name} of the fit is not there" for name in own if name not in others]
        found += [f"{name} is not in the fit" for name in others if name not in own]
        for name in own.keys() & others.keys():
            found += own[name].differs_from(others[name])
        if not found and list(own) != list(others):
            found.append(f"the order is {', '.join(own)} in the fit, and {', '.join(others)} here")
        if self.dtype != other.dtype:
            found.append(f"numbers are {self.dtype} in the fit, and {other.dtype} here")
        return sorted(found)

    def other_data(self, other: "Description") -> list[str]:
        """Name what has other data, or other numbers, in another model."""
        names = self.fingerprints.keys() | other.fingerprints.keys()
        return sorted(n for n in names if self.fingerprints.get(n) != other.fingerprints.get(n))


def digest(arrays: Iterable[Any]) -> str:
    """Return a short text that is another one for other arrays."""
    found = hashlib.blake2b(digest_size=16)
    for array in map(np.asarray, arrays):
        found.update(f"{array.dtype.str} {array.shape} ".encode())
        found.update(array.tobytes() if array.dtype.hasobject else np.ascontiguousarray(array).data)
    return found.hexdigest()


def _said(value: Any) -> str:
    return "none" if value in (None, ()) else str(value)
