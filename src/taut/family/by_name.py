"""Families that a group of variables can get by name, or by the names of parameters."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from jaxtyping import Float

from taut.errors import GroupError
from taut.family.base import AbstractFamily
from taut.family.parameters import Parameters


@dataclass(frozen=True)
class Start:
    """Where a member of a family begins, and what else a group says of it.

    Parameters
    ----------
    mean, std
        Of each element.
    seed
        Decides what is drawn.
    rank
        How many directions, if it has some; `None` for as many as it likes.
    size, jitter
        How many points, if it has some, and the scale of their scatter.
    """

    mean: Float[np.ndarray, " dim"]
    std: Float[np.ndarray, " dim"]
    seed: int = 0
    rank: int | None = None
    size: int = 100
    jitter: float = 1.0


class ByName(AbstractFamily):
    """A family that `taut.Group` can name.

    Attributes
    ----------
    names
        Its names, the long one first.
    keys
        The names of its parameters, by which `restore` is chosen.
    scale
        Standard deviation to begin with where none is given.
    """

    names: ClassVar[tuple[str, ...]]
    keys: ClassVar[frozenset[str]]
    scale: ClassVar[float]

    @classmethod
    @abstractmethod
    def begin(cls, start: Start) -> Self:
        """Build the member to begin with."""

    @classmethod
    @abstractmethod
    def restore(cls, params: Parameters, dim: int) -> Self:
        """Build the member with these parameters, whose names are `keys`.

        Raises
        ------
        GroupError
            A parameter has another shape than a member of this dimension.
        """


def shaped(params: Parameters, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return a parameter in its shape.

    Raises
    ------
    GroupError
        It has another number of elements.
    """
    value = params[name]
    if value.size != np.prod(shape, dtype=int):
        raise GroupError(f"params[{name!r}] has shape {value.shape}, expected {shape}.")
    return value.reshape(shape)
